use super::{Bed, tag};
use crate::discover::target::{Chosen, TargetError, Wanted, choose, fetch};
use crate::model::facts::Fetch;
use crate::model::id::{Commit, Tag};
use crate::profile::Target;
use std::time::Duration;

async fn chosen(bed: &Bed, tag: Option<&Tag>, commit: Option<&Commit>, profile: Target) -> Result<Chosen, TargetError> {
    choose(Some(&bed.open("app").await), Wanted { tag, commit, profile }).await
}

#[tokio::test]
async fn s3_14_without_a_tag_the_newest_release_is_the_target() {
    let bed = Bed::with_releases();
    bed.git("app", &["tag", "v0.5.0-rc.1", "v0.4.0"]);
    let chosen = chosen(&bed, None, None, Target::NewestTag).await.unwrap();
    let commit = bed.commit_of("app", "v0.4.0");
    assert_eq!(chosen.facts.tag, Some(tag("v0.4.0")));
    assert_eq!((chosen.facts.commit.as_ref(), chosen.read_from.as_ref()), (Some(&commit), Some(&commit)));
    assert_eq!(chosen.facts.previous_tag, Some(tag("v0.3.27")));
    assert_eq!(chosen.facts.previous_commit, Some(bed.commit_of("app", "v0.3.27")));
}

#[tokio::test]
async fn a_tag_that_does_not_exist_is_refused_with_the_nearest_one() {
    let bed = Bed::with_releases();
    let error = chosen(&bed, Some(&tag("v0.4.1")), None, Target::NewestTag).await.unwrap_err();
    assert!(matches!(&error, TargetError::UnknownTag { nearest: Some(_), .. }));
    assert!(error.to_string().starts_with("there is no tag `v0.4.1` (did you mean `v0.4.0`?)"), "{error}");
}

#[tokio::test]
async fn tag_and_commit_must_agree() {
    let bed = Bed::with_releases();
    let (right, wrong) = (bed.commit_of("app", "v0.4.0"), bed.commit_of("app", "v0.3.28"));
    let short = Commit::new(&right.as_str()[..12]).unwrap();
    let agreed = chosen(&bed, Some(&tag("v0.4.0")), Some(&short), Target::NewestTag).await.unwrap();
    assert_eq!(agreed.facts.commit, Some(right));
    let error = chosen(&bed, Some(&tag("v0.4.0")), Some(&wrong), Target::NewestTag).await.unwrap_err();
    assert!(matches!(error, TargetError::TagIsElsewhere { .. }));
    let absent = Commit::new("0".repeat(40)).unwrap();
    assert!(matches!(chosen(&bed, None, Some(&absent), Target::NewestTag).await, Err(TargetError::UnknownCommit(_))));
}

#[tokio::test]
async fn a_commit_alone_is_enough_and_has_its_tag_if_there_is_one() {
    let bed = Bed::with_releases();
    bed.commit();
    bed.git("app", &["fetch", "-q"]);
    let (tagged, bare) = (bed.commit_of("app", "v0.3.28"), bed.commit_of("app", "origin/main"));
    assert_eq!(chosen(&bed, None, Some(&tagged), Target::NewestTag).await.unwrap().facts.tag, Some(tag("v0.3.28")));
    let chosen = chosen(&bed, None, Some(&bare), Target::NewestTag).await.unwrap();
    assert_eq!((chosen.facts.tag, chosen.read_from), (None, Some(bare)));
}

#[tokio::test]
async fn nothing_to_choose_from_is_refused() {
    let bed = Bed::empty();
    bed.commit();
    bed.git("origin", &["tag", "nightly"]);
    bed.git("origin", &["clone", "-q", ".", "../app"]);
    assert!(matches!(chosen(&bed, None, None, Target::NewestTag).await, Err(TargetError::NoRelease { tags: 1 })));
    let wanted = Wanted { tag: None, commit: None, profile: Target::NewestTag };
    assert!(matches!(choose(None, wanted).await, Err(TargetError::NoRepository)));
}

#[tokio::test]
async fn where_the_work_tree_is_deployed_tag_and_commit_only_name_it() {
    let bed = Bed::with_releases();
    let live = bed.commit_of("app", "v0.3.27");
    let plain = chosen(&bed, None, None, Target::WorkTree).await.unwrap();
    assert_eq!((plain.facts.tag, plain.facts.commit.as_ref(), plain.read_from, plain.warnings.len()), (None, Some(&live), None, 0));
    let label = chosen(&bed, Some(&tag("not-tagged-yet")), None, Target::WorkTree).await.unwrap();
    assert_eq!((label.facts.tag, label.facts.commit, label.warnings.len()), (Some(tag("not-tagged-yet")), Some(live), 0));
    let elsewhere = chosen(&bed, Some(&tag("v0.4.0")), None, Target::WorkTree).await.unwrap();
    assert!(elsewhere.warnings[0].contains("the work tree is what is deployed"), "{:?}", elsewhere.warnings);
    for (given, is_another) in [("v0.3.27", false), ("v0.4.0", true)] {
        let commit = bed.commit_of("app", given);
        for given in [commit.clone(), Commit::new(&commit.as_str()[..12]).unwrap()] {
            let named = chosen(&bed, None, Some(&given), Target::WorkTree).await.unwrap();
            assert_eq!((named.facts.commit, named.warnings.len()), (Some(given), usize::from(is_another)), "{:?}", named.warnings);
        }
    }
    let outside = choose(None, Wanted { tag: Some(&tag("v1")), commit: None, profile: Target::WorkTree }).await.unwrap();
    assert_eq!((outside.facts.tag, outside.facts.commit), (Some(tag("v1")), None));
}

#[tokio::test]
async fn s3_13_a_broken_remote_is_a_fact_and_stops_nothing() {
    let bed = Bed::with_releases();
    bed.git("app", &["remote", "set-url", "origin", "/no/such/repository.git"]);
    let repository = bed.open("app").await;
    let Fetch::Failed { message } = fetch(Some(&repository), Duration::from_mins(1)).await else { panic!("it was fetched") };
    assert!(message.contains("/no/such/repository.git"), "{message}");
    assert_eq!(chosen(&bed, None, None, Target::NewestTag).await.unwrap().facts.tag, Some(tag("v0.4.0")));
    assert_eq!(fetch(None, Duration::from_secs(1)).await, Fetch::NoRepository);
}
