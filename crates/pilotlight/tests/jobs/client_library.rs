//! The client library that the command line uses, against the real service: every request, and every response parsed.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use pilotlight_client::{ApiKey, Client, JobEvent, JobRef, Reason, ReportResponse, SubmitParams};
use pilotlight_testkit::lossy_link::LossyLink;
use pilotlight_testkit::server::TestServer;
use pilotlight_wire::jobs::Status;
use pilotlight_wire::requests::{CheckRequest, JobReport, SubmitOptions, SubmitRequest};
use serde_json::value::RawValue;
use tokio::runtime::Runtime;

const SOON: Duration = Duration::from_secs(20);

fn client(url: &str, key: Option<&str>) -> Client {
    let key = key.map(|key| ApiKey::parse(key).expect("a valid key"));
    let base = pilotlight_server::https_client_builder().expect("the built-in certificates are valid");
    Client::new(base, url.parse().expect("an address"), key).expect("a client")
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).expect("JSON")
}

#[test]
fn a_job_is_submitted_executed_streamed_and_read_again() {
    let server = TestServer::start();
    let client = client(&server.url(), None);
    Runtime::new().unwrap().block_on(async {
        let input = raw("{ \"a\": 1.0 }");
        let job = SubmitRequest { job_type: "t", input_params: &input, options: SubmitOptions::default() };
        let check_request = CheckRequest { job_type: "t", input_params: &input, code_version: None };
        assert!(!client.check(&check_request).await.unwrap().exists);
        let submitted = client.submit(&job, SubmitParams::default()).await.unwrap();
        let id = submitted.job_id.as_str();
        assert_eq!(submitted.status, Status::Pending);

        let types = ["t".to_owned()];
        let runner = client.register("a runner", &types).await.unwrap().runner_id;
        let next = client.next_job(&runner, &types, SOON).await.unwrap().expect("a job");
        assert_eq!((next.job_id.as_str(), next.input_params.get(), next.attempt), (id, "{ \"a\": 1.0 }", 1));
        assert!(client.next_job(&runner, &types, Duration::ZERO).await.unwrap().is_none());
        let job_ref = JobRef { runner: &runner, id };
        assert_eq!(client.start(job_ref, next.lease).await.unwrap(), ReportResponse::Accepted);
        let report = JobReport { lease: next.lease, ..JobReport::default() };
        let heartbeat = JobReport {
            progress_current: Some(1),
            progress_total: Some(2),
            console_append: Some("a\n\"b\""),
            ..report
        };
        assert_eq!(client.heartbeat(job_ref, &heartbeat).await.unwrap(), ReportResponse::Accepted);
        let late = client.heartbeat(job_ref, &JobReport { lease: next.lease + 1, ..report }).await.unwrap();
        assert!(matches!(late, ReportResponse::Stale(_)), "{late:?}");

        let mut events = client.events(id).await.unwrap();
        assert!(matches!(events.next().await.unwrap(), Some(JobEvent::Status(job)) if job.status == Status::InProgress));
        let output = raw("{\"b\": [2]}");
        let done = client.complete(job_ref, &JobReport { output_data: Some(&output), ..report }).await.unwrap();
        assert_eq!(done, ReportResponse::Accepted);
        let (mut console, mut progress, mut ended_job) = (String::new(), None, None);
        while let Some(event) = events.next().await.unwrap() {
            match event {
                JobEvent::Status(job) => ended_job = Some(job),
                JobEvent::Progress(update) => progress = Some((update.current, update.total)),
                JobEvent::Console(chunk) => console.push_str(&chunk.text),
            }
        }
        assert_eq!((console.as_str(), progress), ("a\n\"b\"", Some((1, 2))));
        let result = ended_job.expect("the job has ended").result.expect("a result");
        assert_eq!(result.output_data.get(), "{\"b\": [2]}");

        let cached = client.submit(&job, SubmitParams { wait: SOON, ..SubmitParams::default() }).await.unwrap();
        assert_eq!(cached.result.expect("a cached result").output_data.get(), "{\"b\": [2]}");
        assert!(client.check(&check_request).await.unwrap().result.is_some());
        assert_eq!(client.status(id, SOON).await.unwrap().status, Status::Completed);
        assert!(!client.cancel(id).await.unwrap().success, "an ended job cannot be cancelled");
    });
}

#[test]
fn a_submission_without_an_idempotency_key_is_not_repeated_after_a_lost_response() {
    let server = TestServer::start();
    let link = LossyLink::losing_response(server.address(), "POST /api/jobs/submit");
    let retrying_client = client(&link.url(), None).with_retry_for(SOON);
    Runtime::new().unwrap().block_on(async {
        let input = raw("[1]");
        let job = SubmitRequest { job_type: "t", input_params: &input, options: SubmitOptions::default() };
        let unknown = retrying_client.submit(&job, SubmitParams::default()).await.unwrap_err();
        assert!(matches!(unknown.reason, Reason::NoResponse(_)), "{unknown:?}");
        let id = retrying_client.submit(&job, SubmitParams::default()).await.unwrap().job_id;
        assert!(client(&server.url(), None).cancel(&id).await.unwrap().success);
        assert_eq!(
            retrying_client.status(&id, Duration::ZERO).await.unwrap().status,
            Status::Pending,
            "one of the two submissions is not cancelled"
        );
    });
}

#[test]
fn the_admin_requests_list_show_count_and_delete() {
    let server = TestServer::start();
    let client = client(&server.url(), None);
    Runtime::new().unwrap().block_on(async {
        let input = raw("[1]");
        let options = SubmitOptions {
            fresh: Some(true),
            priority: Some(3),
            max_attempts: Some(2),
            ..SubmitOptions::default()
        };
        let job = SubmitRequest { job_type: "t", input_params: &input, options };
        let first = client.submit(&job, SubmitParams::default()).await.unwrap().job_id;
        let key = SubmitParams { idempotency_key: Some("mine"), ..SubmitParams::default() };
        let second = client.submit(&job, key).await.unwrap().job_id;
        assert_eq!(client.submit(&job, key).await.unwrap().job_id, second);
        assert!(client.cancel(&first).await.unwrap().success);
        let failed = client.list_jobs(Some(Status::Failed), Some(10)).await.unwrap();
        assert_eq!(failed.jobs[0].job_id, first);
        let details = client.job_details(&second).await.unwrap();
        assert_eq!(
            (details.row.status, details.priority, details.input_params.get()),
            (Status::Pending, 3, "[1]")
        );
        let runner = client.register("a runner", &["t".to_owned()]).await.unwrap().runner_id;
        assert_eq!(client.list_runners().await.unwrap().runners[0].runner_id, runner);
        assert_eq!(client.runner_details(&runner).await.unwrap().runner.name, "a runner");
        assert_eq!(client.stats().await.unwrap().jobs.total, 2);
        assert!(client.delete(&first).await.unwrap().success);
        assert_eq!(client.delete(&first).await.unwrap_err().status(), Some(404));
        let deleted = client.delete_batch(&[&first, &second]).await.unwrap();
        assert_eq!((deleted.deleted, deleted.failed.len()), (1, 1));
    });
}

#[test]
fn the_errors_of_a_refused_key_and_an_unreachable_service_name_the_cause() {
    let server = TestServer::with(&[("SUBMIT_API_KEY", "right")]);
    let free_address =
        TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an open socket");
    Runtime::new().unwrap().block_on(async {
        let refused = client(&server.url(), Some("wrong-key")).status("x", Duration::ZERO).await.unwrap_err();
        let text = refused.to_string();
        assert!(
            text.contains("(401)") && text.contains(&server.url()) && !text.contains("wrong-key"),
            "{text}"
        );
        let unknown = client(&server.url(), Some("right")).status("x", Duration::ZERO).await.unwrap_err();
        assert_eq!(unknown.status(), Some(404), "{unknown}");
        let retrying_client =
            client(&format!("http://{free_address}"), None).with_retry_for(Duration::from_millis(500));
        let started = Instant::now();
        let error = retrying_client.status("x", Duration::ZERO).await.unwrap_err();
        assert!(matches!(error.reason, Reason::Unreachable(_)), "{error:?}");
        assert!(started.elapsed() >= Duration::from_millis(200), "the request was not retried");
    });
}
