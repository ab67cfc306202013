//! A ledger whose file lost its end.

use super::checks;
use super::world::World;

const PAGE: usize = 4096;

#[test]
fn a_ledger_cut_at_any_page_is_named_and_nothing_runs() {
    let cache = tempfile::tempdir().unwrap();
    let world = World::new(cache.path());
    assert!(world.command(&["run", "--tag", "v1"], "copy").status().unwrap().success());
    let file = world.state().join("ledger.sqlite3");
    let whole = std::fs::read(&file).unwrap();
    assert!(whole.len().is_multiple_of(PAGE) && whole.len() > 5 * PAGE, "{}", whole.len());
    let (trees, log) = (checks::trees(&world), world.log());
    for pages in 0..whole.len() / PAGE {
        std::fs::write(&file, &whole[..pages * PAGE]).unwrap();
        for args in [&["run", "--tag", "v2"][..], &["status"]] {
            let ran = world.command(args, "copy").output().unwrap();
            let said = String::from_utf8_lossy(&ran.stderr);
            assert_eq!(ran.status.code(), Some(3), "{pages} pages, {args:?}: {said}");
            let words = ["error[ledger]", "ledger.sqlite3 is damaged", "put a copy of it back"];
            assert!(words.iter().all(|word| said.contains(word)), "{pages} pages, {args:?}: {said}");
        }
        assert_eq!((checks::trees(&world), world.log()), (trees.clone(), log.clone()), "{pages} pages");
        assert_eq!(std::fs::read(&file).unwrap(), whole[..pages * PAGE], "it is left for somebody to mend");
    }
    std::fs::write(&file, &whole).unwrap();
    assert!(world.command(&["run", "--tag", "v1"], "copy").status().unwrap().success(), "a copy put back is as good as before");
    assert_eq!(world.logged("live"), 1);
}
