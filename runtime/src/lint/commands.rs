//! The profile's rules for native commands: what it forbids, and what it warns of.

use crate::diagnostic::{Diagnostic, Located, codes};
use crate::document::{error_at, quote};
use crate::manifest::{GuestDecl, HookDecl};
use crate::profile::{CommandRules, Profile, Prompt};
use std::path::Path;

/// Holds a hook's commands against the profile's rules.
pub(super) fn check(hook: &HookDecl, profile: &Profile, found: &mut Vec<Diagnostic>) {
    let fallback = hook.fallback.as_ref().map(|fallback| (&fallback.value.guest, &fallback.at));
    for (guest, at) in [Some((&hook.guest.value, &hook.guest.at)), fallback].into_iter().flatten() {
        if let GuestDecl::Native { argv, shell } = guest {
            let command = Located { value: Command::of(argv, *shell), at: at.clone() };
            forbidden(&command, hook, profile, found);
            more_than_one(&command, profile, found);
            hints(&command, &profile.commands, found);
        }
    }
}

/// A command as it is judged: its words, and the line that a shell reads, if one does.
struct Command<'a> {
    argv: &'a [String],
    /// The whole command is a line for a shell.
    is_line: bool,
    /// The line that a shell reads: the whole command, or what stands behind `bash -c`.
    line: Option<&'a str>,
}

impl<'a> Command<'a> {
    fn of(argv: &'a [String], shell: bool) -> Self {
        let named = argv.first().is_some_and(|program| is_shell(program)) && argv.get(1).is_some_and(|option| option == "-c");
        let line = if shell || named { argv.get(2).map(String::as_str) } else { None };
        Self { argv, is_line: shell, line }
    }

    /// How it begins.
    fn beginning(&self) -> &'a str {
        let first = self.argv.first().map_or("", String::as_str);
        if self.is_line { self.line.unwrap_or(first).trim_start() } else { first }
    }

    /// Each single command in it, as words: one, or those that a shell line strings together.
    fn singles(&self) -> Vec<Vec<&'a str>> {
        match self.line {
            None => vec![self.argv.iter().map(String::as_str).collect()],
            Some(line) => line.split(['\n', ';', '|', '&']).map(|single| single.split_whitespace().collect()).collect(),
        }
    }
}

fn is_shell(program: &str) -> bool {
    let name = Path::new(program).file_name().and_then(|name| name.to_str()).unwrap_or(program);
    matches!(name, "sh" | "bash" | "dash" | "zsh" | "ksh")
}

fn forbidden(command: &Located<Command<'_>>, hook: &HookDecl, profile: &Profile, found: &mut Vec<Diagnostic>) {
    let rules = &profile.commands;
    let beginning = command.value.beginning();
    let first = beginning.split_whitespace().next().unwrap_or(beginning);
    let file = hook.origin.rsplit('/').next().unwrap_or(&hook.origin);
    let word = rules.forbid_word.iter().find(|word| *word == first);
    let prefix = rules.forbid_prefix.iter().find(|rule| rule.files.iter().any(|name| name == file) && beginning.starts_with(&rule.prefix));
    let message = match (word, prefix) {
        (Some(word), _) => format!("a command of the profile `{}` can't start with {}", profile.name, quote(word)),
        (None, Some(rule)) => {
            format!("a command in {file} can't start with {}, as {} does (profile `{}`)", quote(&rule.prefix), quote(first), profile.name)
        }
        (None, None) => return,
    };
    let help = "name the program by a path (`./startup.sh`), or let a shell run it: `bash -c \"…\"`";
    found.push(error_at(command, codes::FORBIDDEN_COMMAND, message).help(help));
}

/// Words that only a shell understands. `find … -exec … ;` ends its own argument with one of them.
fn operator(argv: &[String]) -> Option<&str> {
    const OPERATORS: &[&str] = &["&&", "||", "|", "&", ">", ">>", "<", "2>", "2>>", "2>&1", "&>"];
    let executes = argv.iter().any(|word| matches!(word.as_str(), "-exec" | "-execdir" | "-ok" | "-okdir"));
    let last = argv.len().saturating_sub(1);
    argv.iter().enumerate().find_map(|(index, word)| {
        let ends = !executes && (word == ";" || (word.ends_with(';') && index < last));
        (OPERATORS.contains(&word.as_str()) || ends).then_some(word.as_str())
    })
}

fn more_than_one(command: &Located<Command<'_>>, profile: &Profile, found: &mut Vec<Diagnostic>) {
    let rules = &profile.commands;
    let Command { argv, is_line, .. } = command.value;
    let message = if rules.single_line && argv.iter().any(|word| word.trim_end_matches('\n').contains('\n')) {
        format!("a command of the profile `{}` stands on one line", profile.name)
    } else if let Some(operator) = operator(argv).filter(|_| !is_line) {
        if !rules.single_command {
            let program = argv.first().map_or("", String::as_str);
            let message = format!("no shell reads {}: it is an argument of {}", quote(operator), quote(program));
            let help = "write `shell = true` beside the command, or put the commands into a script and name that";
            found.push(Diagnostic::warning(codes::SINGLE_COMMAND, message).at(command.at.clone()).help(help));
            return;
        }
        format!("a command of the profile `{}` is a single executable command: no shell reads {}", profile.name, quote(operator))
    } else {
        return;
    };
    let help = "write `bash -c \"first && second\"`, or put the commands into a script and name that";
    found.push(error_at(command, codes::SINGLE_COMMAND, message).help(help));
}

fn hints(command: &Located<Command<'_>>, rules: &CommandRules, found: &mut Vec<Diagnostic>) {
    let quotes_twice = |text: &str| (text.contains('"') && text.contains('\'')) || text.contains("\\\"") || text.contains("<<");
    if rules.suggest_script && command.value.argv.iter().any(|word| quotes_twice(word)) {
        let message = "the command quotes within quotes: who reads it last may see other words than you";
        let help = "put it into a script of the application (`bin/pre-release`, executable) and name that";
        found.push(Diagnostic::warning(codes::COMPLEX_QUOTING, message).at(command.at.clone()).help(help));
    }
    let asks = command.value.singles().into_iter().find_map(|words| rules.prompts.iter().find(|prompt| prompts(prompt, &words)));
    if let Some(prompt) = asks {
        let message = format!("{} asks somebody something, and nobody is there: its standard input is empty", quote(&prompt.command));
        let help = match &prompt.unless[..] {
            [] => "give it what it asks for by an option, a file or a variable".to_owned(),
            options => format!("add {}", options.join(" or ")),
        };
        found.push(Diagnostic::warning(codes::INTERACTIVE, message).at(command.at.clone()).help(help));
    }
}

fn prompts(prompt: &Prompt, words: &[&str]) -> bool {
    let words = match words {
        ["sudo", rest @ ..] => rest,
        words => words,
    };
    let begins = prompt.command.split_whitespace().enumerate().all(|(index, word)| words.get(index) == Some(&word));
    begins && !words.iter().any(|word| prompt.unless.iter().any(|option| option == word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::parse;

    fn codes_in(file: &str, profile: &str, run: &str) -> Vec<&'static str> {
        let phase = match profile {
            "pagoda" => "phase = 'exec'\n",
            _ => "",
        };
        let (manifest, problems) = parse(file, &format!("schema = 1\n[[hook]]\nid = 'h'\n{phase}{run}\n"));
        assert_eq!(problems, [], "{run}");
        crate::lint::check(&manifest, &crate::profile::builtin(profile).unwrap()).iter().map(|found| found.code).collect()
    }

    fn blueking(run: &str) -> Vec<&'static str> {
        codes_in("app_desc.yaml", "blueking", &format!("run = {run}"))
    }

    #[test]
    fn s1_8_a1_a_command_cannot_start_with_start() {
        for run in ["'start'", "'start web'", "['start', 'web']", "'startup.sh'", "'./start'", "'bash -c \"start web\"'"] {
            let forbidden = run.trim_matches(['\'', '[']).starts_with("start");
            assert_eq!(blueking(run) == [codes::FORBIDDEN_COMMAND], forbidden, "{run}");
        }
        let elsewhere = |run: &str| codes_in("platform.toml", "blueking", &format!("run = {run}"));
        assert_eq!(elsewhere("'start web'"), [codes::FORBIDDEN_COMMAND], "on the platform's side only the word is forbidden");
        assert_eq!(elsewhere("'startup.sh'"), [""; 0]);
        assert_eq!(codes_in("app_desc.yaml", "blueking", "run = '  start web'\nshell = true"), [codes::FORBIDDEN_COMMAND]);
        assert_eq!(codes_in("app_desc.yaml", "divio", "run = 'start web'"), [""; 0], "another platform has another rule");
    }

    #[test]
    fn s1_8_a_fallback_is_a_command_too() {
        let run = "wasm = 'h.wasm'\nfallback = { run = 'start web' }";
        assert_eq!(codes_in("app_desc.yaml", "blueking", run), [codes::FORBIDDEN_COMMAND]);
    }

    #[test]
    fn s1_9_only_a_single_executable_command() {
        for run in ["'a && b'", "'a; b'", "'a | b'", "'a > b'", "['a', '||', 'b']", "'a & b'", "'bash -c \"a && b\" && c'"] {
            assert_eq!(blueking(run), [codes::SINGLE_COMMAND], "{run}");
        }
        for run in ["'python manage.py migrate --no-input'", "'find . -name x -exec rm {} \\;'", "'echo a;'", "'grep -E \"a|b\" f'"] {
            assert_eq!(blueking(run), [""; 0], "{run}");
        }
    }

    #[test]
    fn where_several_commands_are_not_forbidden_it_is_said_that_no_shell_reads_them() {
        let found = |run: &str| {
            let (manifest, _) = parse("m.toml", &format!("schema = 1\n[[hook]]\nid = 'h'\nphase = 'pre-deploy'\nrun = {run}\n"));
            crate::lint::check(&manifest, &crate::profile::builtin("default").unwrap())
        };
        let warned = found("'echo hi && echo ho'");
        assert_eq!((warned[0].code, warned[0].severity), (codes::SINGLE_COMMAND, crate::diagnostic::Severity::Warning));
        assert_eq!(warned[0].message, "no shell reads `&&`: it is an argument of `echo`");
        for run in ["'echo hi'", "'echo hi && echo ho'\nshell = true", "\"sh -c 'echo hi && echo ho'\""] {
            assert_eq!(found(run), [], "{run}");
        }
    }

    #[test]
    fn s1_26_a_shell_as_a_guide_takes_several_commands() {
        assert_eq!(blueking("'bash -c \"cd backend && python manage.py migrate --no-input\"'"), [""; 0]);
    }

    #[test]
    fn a2_a_newline_in_a_command_is_refused() {
        assert_eq!(blueking("\"bash -c 'a\\nb'\""), [codes::SINGLE_COMMAND]);
        assert_eq!(codes_in("m.toml", "divio", "run = \"bash -c 'a\\nb'\""), [""; 0]);
    }

    #[test]
    fn s1_28_quoting_within_quotes_is_better_off_in_a_script() {
        assert_eq!(blueking("['bash', '-c', '''echo \"it's\" > x''']"), [codes::COMPLEX_QUOTING]);
        assert_eq!(blueking("'./bin/pre-release'"), [""; 0], "S1.29");
    }

    #[test]
    fn s5_40_a_command_that_asks_is_warned_of() {
        let pagoda = |run: &str| codes_in("m.toml", "pagoda", run);
        assert_eq!(pagoda("run = 'apt-get install curl'"), [codes::INTERACTIVE]);
        assert_eq!(pagoda("run = 'apt-get install -y curl'"), [""; 0]);
        assert_eq!(pagoda("run = 'cd x && sudo apt-get install curl'\nshell = true"), [codes::INTERACTIVE]);
        assert_eq!(pagoda("run = 'bash -c \"echo go; read answer\"'"), [codes::INTERACTIVE]);
        assert_eq!(pagoda("run = 'readlink x'"), [""; 0]);
    }

    #[test]
    fn what_is_found_names_the_rule_and_the_way_out() {
        let (manifest, _) = parse("app_desc.yaml", "schema = 1\n[[hook]]\nid = 'h'\nrun = 'startup.sh'\n");
        let found = crate::lint::check(&manifest, &crate::profile::builtin("blueking").unwrap());
        assert_eq!(found[0].message, "a command in app_desc.yaml can't start with `start`, as `startup.sh` does (profile `blueking`)");
        assert!(found[0].help.as_ref().unwrap().contains("./startup.sh") && found[0].at.is_some());
    }
}
