//! A release that isn't checked out yet runs under rules of its own: its own manifest, one that the operator put beside it, or none. Never under
//! those of the release that happens to be live.

use super::beside::{Beside, Release};
use super::declare::{self, Declared};
use super::{LoadError, Request};
use crate::diagnostic::{Diagnostic, Located, codes};
use crate::discover::Source;
use crate::manifest::{self, Manifest};
use crate::model::id::Commit;
use crate::plan::Notice;

const MANIFEST: &str = "wasmhook.toml";

/// What holds for the release.
pub(super) struct OfRelease<'s> {
    pub(super) declared: Declared,
    /// Where the files lie that its manifest names.
    pub(super) beside: Beside<'s>,
    /// Whose rules these are, where the release doesn't say it itself.
    pub(super) notice: Option<Notice>,
}

/// Puts what the release says in the place of what was `declared` in the work tree, unless the operator named files. `live` is what is checked
/// out.
pub(super) async fn of_release<'s>(
    declared: Declared,
    request: &Request,
    source: &'s Source,
    live: Option<&'s Commit>,
) -> Result<OfRelease<'s>, LoadError> {
    let as_declared = |declared| Ok(OfRelease { declared, beside: Beside::Folder, notice: None });
    let is_operators = !request.manifests.is_empty() || declared.dir != declared.app_dir;
    let Source::Commit(repository, commit) = source else { return as_declared(declared) };
    if is_operators {
        return as_declared(declared);
    }
    let release = Release { repository, commit, live };
    let Some(Rules { manifest, problems, notice }) = rules(&release, &declared, request).await? else { return as_declared(declared) };
    let beside = Beside::Release(release);
    let profile = declare::profile_file(&declared.dir, &manifest, &beside).await?;
    let next = declare::complete(declared.dir.clone(), manifest, profile, request, problems)?;
    if next.app != declared.app {
        let message = format!("the release names the application {}, what is checked out {}", next.app, declared.app);
        return Err(LoadError::Invalid(vec![
            Diagnostic::error(codes::ANOTHER_APP, message).help("give --app NAME to say which history the run belongs to"),
        ]));
    }
    Ok(OfRelease { declared: next, beside, notice })
}

/// What a release runs under.
struct Rules {
    manifest: Manifest,
    problems: Vec<Diagnostic>,
    notice: Option<Notice>,
}

impl Rules {
    fn read(text: &str, notice: Option<Notice>) -> Self {
        let (manifest, problems) = manifest::parse(MANIFEST, text);
        Self { manifest, problems, notice }
    }
}

/// The rules of a release; `None` if nobody wrote any, neither in it nor where it will be checked out.
async fn rules(release: &Release<'_>, declared: &Declared, request: &Request) -> Result<Option<Rules>, LoadError> {
    if let Some(bytes) = release.repository.show(release.commit, MANIFEST, manifest::MAX_BYTES as u64).await? {
        let text = declare::text_of(bytes).map_err(|message| {
            LoadError::Invalid(vec![Diagnostic::error(codes::BAD_MANIFEST, format!("{MANIFEST} of the release: {message}"))])
        })?;
        return Ok(Some(Rules::read(&text, None)));
    }
    if declared.dir.join(MANIFEST).symlink_metadata().is_err() {
        return Ok(None);
    }
    let lacks = format!("the release ({:.12}) holds no {MANIFEST}", release.commit);
    let notice = |message| Some(Notice { code: codes::RELEASE_WITHOUT_MANIFEST.to_owned(), message });
    if !release.loses(MANIFEST).await? {
        let text = declare::read_below(&declared.dir, MANIFEST, "read the manifest")?;
        let message = format!("{lacks}, and what is checked out neither: the one that lies there is this machine's own, and holds");
        return Ok(Some(Rules::read(&text, notice(message))));
    }
    let Some(profile) = &request.profile else {
        let message = format!("{lacks}, and the one that is checked out belongs to what is live now");
        let help = "commit one to the release; or name the file that holds for it with --manifest FILE, or the profile that it runs under \
                    without one with --profile NAME";
        return Err(LoadError::Invalid(vec![Diagnostic::error(codes::RELEASE_WITHOUT_MANIFEST, message).help(help)]));
    };
    // Whose history it belongs to is no rule of a release.
    let manifest = Manifest { app: Some(Located::nowhere(declared.app.clone())), ..Manifest::default() };
    let message = format!("{lacks}, so that it runs under the profile {profile} alone; that of what is live now doesn't count for it");
    Ok(Some(Rules { manifest, problems: Vec::new(), notice: notice(message) }))
}
