//! What a submission becomes.

use crate::stage::{Stage, at, new};

pub(crate) async fn a_submission_becomes_a_job(stage: Stage) {
    let job = stage.new_job(new("a"), at(5)).await;
    assert!(job.is_current);
    assert_eq!((job.created_at, job.callers), (at(5), 1));
    assert_eq!(stage.found(job.id).await.job, job);
    assert_eq!(stage.input(job.id).await.unwrap().as_deref(), Some(r#"{"name":"a"}"#));
}

pub(crate) async fn an_equal_submission_joins_the_one_under_way(stage: Stage) {
    let job = stage.new_job(new("a"), at(5)).await;
    let found = stage.known(new("a"), at(6)).await;
    assert_eq!((found.job.id, found.job.callers), (job.id, 2));
    assert_eq!(found.end, None);
    assert_eq!(stage.found(job.id).await.job.callers, 2);
}
