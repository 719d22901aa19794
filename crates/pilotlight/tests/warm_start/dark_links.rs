//! Links that go dark without a word, and links that are only slow. Real ones, in network namespaces.

use std::time::{Duration, Instant};

use pilotlight_testkit::http::NoResponse;
use pilotlight_testkit::need;
use pilotlight_testkit::network::TestNetwork;
use pilotlight_testkit::run_message::{large_run, run};
use pilotlight_testkit::wait::pause;
use pilotlight_testkit::warm_start::Poll;

/// For so long a link has been dark when something is sent over it: acknowledgements under way have arrived by then.
const DARK_FOR: Duration = Duration::from_millis(200);

/// The bound for the answer to an offer that meets a dark link.
const FOUND_OUT_WITHIN: Duration = Duration::from_millis(300);

/// What a loaded machine may add to a single try. The middle of all tries gets nothing.
const SLACK: Duration = Duration::from_millis(700);

#[test]
fn alone_netns_a_link_that_went_dark_is_found_out_within_300_ms() {
    need!("netns");
    let tries = if std::env::var_os("PILOTLIGHT_SOAK").is_some() { 200 } else { 15 };
    let network = TestNetwork::new();
    let server = network.serve(&[]);
    let mut supervisor = server.supervisor();
    let mut took: Vec<_> = (0..tries)
        .map(|number| {
            let mut runner =
                Poll::by(&format!("runner-{number}")).send_to(network.address_for_runners(&server));
            server.wait_for_parked(1);
            network.cut();
            pause(DARK_FOR);
            let offered = Instant::now();
            assert!(!supervisor.offer(&run("run_dark")), "try {number}: called warm");
            let took = offered.elapsed();
            network.restore();
            runner.shutdown_write();
            assert_eq!(runner.response(), Err(NoResponse::Reset), "try {number}: the run came after all");
            took
        })
        .collect();
    took.sort_unstable();
    let (middle, longest) = (took[tries / 2], took[tries - 1]);
    println!(
        "{tries} dark links: found out after {:?}, {middle:?} in the middle, {longest:?} at most",
        took[0]
    );
    assert!(middle < FOUND_OUT_WITHIN, "{took:?}");
    assert!(longest < FOUND_OUT_WITHIN + SLACK, "{took:?}");
}

#[test]
fn netns_a_poll_whose_link_is_dark_for_5_s_is_removed() {
    need!("netns");
    let network = TestNetwork::new();
    let server = network.serve(&[]);
    let _runner = Poll::by("runner-1").send_to(network.address_for_runners(&server));
    server.wait_for_parked(1);
    network.cut();
    let dark = Instant::now();
    server.wait_for_parked(0);
    println!("forgotten after {:?}", dark.elapsed());
    assert!(dark.elapsed() < Duration::from_secs(5), "{:?}", dark.elapsed());
    assert!(!server.supervisor().offer(&run("run_late")));
}

#[test]
fn netns_a_run_that_meets_a_dark_link_goes_to_a_healthy_runner() {
    need!("netns");
    let network = TestNetwork::new();
    let server = network.serve(&[]);
    let mut supervisor = server.supervisor();
    let mut healthy = Poll::by("healthy").send_to(server.address());
    server.wait_for_parked(1);
    // The newest is chosen first.
    let _dark = Poll::by("dark").send_to(network.address_for_runners(&server));
    server.wait_for_parked(2);
    network.cut();
    pause(DARK_FOR);
    let offered = Instant::now();
    assert!(supervisor.offer(&run("run_1")));
    println!("cascaded after {:?}", offered.elapsed());
    assert!(offered.elapsed() >= Duration::from_millis(250), "the dark one was not asked");
    assert_eq!(healthy.response().expect("the run").json(), run("run_1"));
    assert_eq!(server.health()["executingRunners"], 1);
}

#[test]
fn netns_five_megabytes_arrive_whole_over_a_link_of_ten_megabits() {
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
            let receiving = scope.spawn(move || runner.response().expect("the whole run").json());
            let offered = Instant::now();
            assert!(
                supervisor.offer(&run),
                "a queue of {queue}: not delivered after {:?}",
                offered.elapsed()
            );
            println!("a queue of {queue}: delivered after {:?}", offered.elapsed());
            assert!(receiving.join().unwrap() == run, "the message differs from what was offered");
        });
    }
}
