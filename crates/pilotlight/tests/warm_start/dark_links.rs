//! Links that go dark (packets are lost without an error), and links that are slow. They are real links in network
//! namespaces.

use std::time::{Duration, Instant};

use pilotlight_testkit::http::NoResponse;
use pilotlight_testkit::need;
use pilotlight_testkit::network::TestNetwork;
use pilotlight_testkit::run_message::{large_run, run};
use pilotlight_testkit::wait::pause;
use pilotlight_testkit::warm_start::Poll;

/// How long a link is dark before the service sends a run over it. Acknowledgements in flight have arrived by then.
const DARK_TIME: Duration = Duration::from_millis(200);

/// The required maximum for the answer to an offer whose runner is behind a dark link.
const MAX_DETECTION_TIME: Duration = Duration::from_millis(300);

/// Additional time for a single attempt on a loaded machine. The median gets none.
const SLACK: Duration = Duration::from_millis(700);

#[test]
fn alone_netns_a_dark_link_is_detected_within_300_ms() {
    need!("netns");
    let attempts = if std::env::var_os("PILOTLIGHT_SOAK").is_some() { 200 } else { 15 };
    let network = TestNetwork::new();
    let server = network.serve(&[]);
    let mut supervisor = server.supervisor();
    let mut took: Vec<_> = (0..attempts)
        .map(|number| {
            let mut runner =
                Poll::by(&format!("runner-{number}")).send_to(network.address_for_runners(&server));
            server.wait_for_parked(1);
            network.cut();
            pause(DARK_TIME);
            let offered = Instant::now();
            assert!(!supervisor.offer(&run("run_dark")), "attempt {number}: reported warm");
            let took = offered.elapsed();
            network.restore();
            runner.shutdown_write();
            assert_eq!(
                runner.response(),
                Err(NoResponse::Reset),
                "attempt {number}: the runner received the run"
            );
            took
        })
        .collect();
    took.sort_unstable();
    let (median, longest) = (took[attempts / 2], took[attempts - 1]);
    println!(
        "{attempts} dark links: detected after {:?} (fastest), {median:?} (median), {longest:?} (slowest)",
        took[0]
    );
    assert!(median < MAX_DETECTION_TIME, "{took:?}");
    assert!(longest < MAX_DETECTION_TIME + SLACK, "{took:?}");
}

#[test]
fn netns_a_poll_whose_link_is_dark_for_5_s_is_removed() {
    need!("netns");
    let network = TestNetwork::new();
    let server = network.serve(&[]);
    let _runner = Poll::by("runner-1").send_to(network.address_for_runners(&server));
    server.wait_for_parked(1);
    network.cut();
    let cut_at = Instant::now();
    server.wait_for_parked(0);
    println!("removed after {:?}", cut_at.elapsed());
    assert!(cut_at.elapsed() < Duration::from_secs(5), "{:?}", cut_at.elapsed());
    assert!(!server.supervisor().offer(&run("run_late")));
}

#[test]
fn netns_a_run_for_a_dark_link_is_dispatched_to_a_healthy_runner() {
    need!("netns");
    let network = TestNetwork::new();
    let server = network.serve(&[]);
    let mut supervisor = server.supervisor();
    let mut healthy = Poll::by("healthy").send_to(server.address());
    server.wait_for_parked(1);
    // The newest poll is selected first.
    let _dark = Poll::by("dark").send_to(network.address_for_runners(&server));
    server.wait_for_parked(2);
    network.cut();
    pause(DARK_TIME);
    let offered = Instant::now();
    assert!(supervisor.offer(&run("run_1")));
    println!("cascaded after {:?}", offered.elapsed());
    assert!(offered.elapsed() >= Duration::from_millis(250), "the run was not dispatched to the dark runner");
    assert_eq!(healthy.response().expect("the run").json(), run("run_1"));
    assert_eq!(server.health()["executingRunners"], 1);
}

#[test]
fn netns_five_megabytes_arrive_complete_over_a_link_of_ten_megabits() {
    need!("netns");
    for queue in ["50ms", "400ms"] {
        let network = TestNetwork::new();
        network.limit_rate("10mbit", queue);
        let server = network.serve(&[]);
        let mut runner = Poll::by("runner-1").send_to(network.address_for_runners(&server));
        server.wait_for_parked(1);
        let run = large_run("run_slow", 5_000_000);
        let mut supervisor = server.supervisor();
        std::thread::scope(|scope| {
            let receiver = scope.spawn(move || runner.response().expect("the whole run").json());
            let offered = Instant::now();
            assert!(
                supervisor.offer(&run),
                "a queue of {queue}: not delivered after {:?}",
                offered.elapsed()
            );
            println!("a queue of {queue}: delivered after {:?}", offered.elapsed());
            assert!(receiver.join().unwrap() == run, "the received message differs from the offered one");
        });
    }
}
