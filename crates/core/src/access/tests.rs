//! DESIGN's table of who may do what, row by row.

use super::*;

const PROGRAM: Caller = Caller {
    network_is_allowed: true,
    place: Place::Here,
    page: Page::None,
    key: Key::None,
    session: Session::None,
};
const AFAR: Caller = Caller { place: Place::OtherMachine, ..PROGRAM };
const OPERATORS: [Asked; 2] = [Asked::Look, Asked::Change];
const CLIENTS: [Asked; 5] =
    [Asked::Submit, Asked::SubmitQuestion, Asked::Run, Asked::AdminQuestion, Asked::AdminChange];
const ADMIN: Scopes = Scopes::only(Scope::Admin);
const RUNNER: Scopes = Scopes::only(Scope::Runner);
const SUBMIT: Scopes = Scopes::only(Scope::Submit);
const ALL: Scopes = ADMIN.and(RUNNER).and(SUBMIT);

#[test]
fn the_protocol_is_for_allowed_networks_and_never_for_pages() {
    for keys in [Scopes::NONE, ALL] {
        assert_eq!(decide(Asked::Protocol, keys, AFAR), Ok(()));
        let stranger = Caller { network_is_allowed: false, ..AFAR };
        assert_eq!(decide(Asked::Protocol, keys, stranger), Err(Denied::Network));
        for page in [Page::Own, Page::Foreign] {
            let caller = Caller { page, ..PROGRAM };
            assert_eq!(decide(Asked::Protocol, keys, caller), Err(Denied::FromPage));
        }
    }
}

#[test]
fn without_keys_everything_else_is_for_this_machine() {
    for asked in OPERATORS.into_iter().chain(CLIENTS).chain([Asked::Shell]) {
        assert_eq!(decide(asked, Scopes::NONE, PROGRAM), Ok(()), "{asked:?}");
        for (place, denied) in [
            (Place::OtherMachine, Denied::OtherMachine),
            (Place::BehindProxy, Denied::BehindProxy),
            (Place::OtherName, Denied::OtherName),
        ] {
            let session = Session::WithToken;
            let caller = Caller { place, session, key: Key::Of(ADMIN), ..PROGRAM };
            assert_eq!(decide(asked, Scopes::NONE, caller), Err(denied), "{asked:?}");
        }
    }
}

#[test]
fn operators_with_keys_show_one_or_a_session_from_everywhere() {
    for asked in OPERATORS {
        assert_eq!(decide(asked, ADMIN, PROGRAM), Err(Denied::NoKey), "{asked:?}");
        let with = |key| decide(asked, ALL, Caller { key, ..AFAR });
        assert_eq!(with(Key::Of(ADMIN)), Ok(()), "{asked:?}");
        assert_eq!(with(Key::Of(ALL)), Ok(()), "{asked:?}");
        assert_eq!(with(Key::Unknown), Err(Denied::UnknownKey), "{asked:?}");
        assert_eq!(with(Key::Of(RUNNER.and(SUBMIT))), Err(Denied::OtherScope), "{asked:?}");
        let open = Caller { session: Session::Open, ..AFAR };
        let reads = if asked == Asked::Change { Err(Denied::NoToken) } else { Ok(()) };
        assert_eq!(decide(asked, ALL, open), reads, "{asked:?}");
    }
    assert_eq!(decide(Asked::Shell, ALL, AFAR), Ok(()));
}

#[test]
fn keys_of_others_shut_nobody_out_of_the_dashboard() {
    for asked in OPERATORS.into_iter().chain([Asked::Shell]) {
        assert_eq!(decide(asked, RUNNER.and(SUBMIT), PROGRAM), Ok(()), "{asked:?}");
        assert_eq!(decide(asked, RUNNER, AFAR), Err(Denied::OtherMachine), "{asked:?}");
    }
}

#[test]
fn each_client_of_jobs_needs_the_key_that_is_for_it() {
    use Denied::WrongKey;
    for (asked, shown, may) in [
        (Asked::Submit, SUBMIT, Ok(())),
        (Asked::Submit, RUNNER, Err(WrongKey(Scope::Submit))),
        (Asked::Submit, ADMIN, Err(WrongKey(Scope::Submit))),
        (Asked::Submit, ADMIN.and(SUBMIT), Ok(())),
        (Asked::SubmitQuestion, SUBMIT, Ok(())),
        (Asked::SubmitQuestion, RUNNER, Err(WrongKey(Scope::Submit))),
        (Asked::SubmitQuestion, ADMIN, Err(WrongKey(Scope::Submit))),
        (Asked::Run, RUNNER, Ok(())),
        (Asked::Run, SUBMIT, Err(WrongKey(Scope::Runner))),
        (Asked::Run, ADMIN, Err(WrongKey(Scope::Runner))),
        (Asked::AdminQuestion, ADMIN, Ok(())),
        (Asked::AdminQuestion, RUNNER, Ok(())),
        (Asked::AdminQuestion, SUBMIT, Err(WrongKey(Scope::Admin))),
        (Asked::AdminChange, ADMIN, Ok(())),
        (Asked::AdminChange, RUNNER, Err(WrongKey(Scope::Admin))),
        (Asked::AdminChange, SUBMIT, Err(WrongKey(Scope::Admin))),
    ] {
        for place in [AFAR, PROGRAM] {
            // Whoever shows a key may be any page: it has no other right than the key's.
            for page in [Page::None, Page::Own, Page::Foreign] {
                let caller = Caller { page, key: Key::Of(shown), ..place };
                assert_eq!(decide(asked, ALL, caller), may, "{asked:?} {shown:?}");
            }
        }
    }
    for asked in CLIENTS {
        assert_eq!(decide(asked, ALL, PROGRAM), Err(Denied::NoKey), "{asked:?}");
        let unknown = Caller { key: Key::Unknown, ..PROGRAM };
        assert_eq!(decide(asked, ALL, unknown), Err(Denied::UnknownKey), "{asked:?}");
    }
}

#[test]
fn with_any_key_configured_a_scope_without_one_is_closed_and_says_what_to_set() {
    for (asked, keys, scope) in [
        (Asked::Submit, ADMIN.and(RUNNER), Scope::Submit),
        (Asked::SubmitQuestion, ADMIN.and(RUNNER), Scope::Submit),
        (Asked::Run, ADMIN.and(SUBMIT), Scope::Runner),
        (Asked::AdminQuestion, SUBMIT, Scope::Admin),
        (Asked::AdminChange, SUBMIT.and(RUNNER), Scope::Admin),
    ] {
        for key in [Key::None, Key::Unknown, Key::Of(SUBMIT)] {
            let caller = Caller { key, ..PROGRAM };
            if key != Key::Of(SUBMIT) || scope != Scope::Submit {
                assert_eq!(decide(asked, keys, caller), Err(Denied::NoneConfigured(scope)), "{asked:?}");
            }
        }
    }
    let runner = Caller { key: Key::Of(RUNNER), ..AFAR };
    assert_eq!(decide(Asked::AdminQuestion, RUNNER, runner), Ok(()));
    let text = Denied::NoneConfigured(Scope::Submit).to_string();
    assert!(text.contains("auth.submit_keys"), "{text}");
}

#[test]
fn an_operators_session_submits_and_administers_and_never_executes() {
    for (asked, open, with_token) in [
        (Asked::Submit, Err(Denied::NoToken), Ok(())),
        (Asked::SubmitQuestion, Ok(()), Ok(())),
        (Asked::AdminQuestion, Ok(()), Ok(())),
        (Asked::AdminChange, Err(Denied::NoToken), Ok(())),
        (Asked::Run, Err(Denied::NoKey), Err(Denied::NoKey)),
    ] {
        for (session, may) in [(Session::Open, open), (Session::WithToken, with_token)] {
            let caller = Caller { session, ..AFAR };
            assert_eq!(decide(asked, ALL, caller), may, "{asked:?}");
            let foreign = Caller { page: Page::Foreign, ..caller };
            assert_eq!(decide(asked, ALL, foreign), Err(Denied::NoKey), "{asked:?}");
            // Without admin keys nobody has signed in: a session is whoever's who asked for one.
            let here = Caller { place: Place::Here, ..caller };
            assert!(decide(asked, SUBMIT, here).is_err(), "{asked:?}");
        }
        let own = Caller { page: Page::Own, session: Session::WithToken, ..AFAR };
        assert_eq!(decide(asked, ALL, own), with_token, "{asked:?}");
    }
    let own = Caller { page: Page::Own, session: Session::Open, ..AFAR };
    for asked in [Asked::SubmitQuestion, Asked::AdminQuestion] {
        assert_eq!(decide(asked, ALL, own), Err(Denied::NoToken), "{asked:?}");
    }
}

#[test]
fn another_page_may_nothing_without_a_clients_key_and_the_own_page_needs_its_token() {
    let without_keys = CLIENTS.into_iter().chain(OPERATORS).map(|asked| (asked, Scopes::NONE));
    for (asked, keys) in OPERATORS.into_iter().map(|asked| (asked, ALL)).chain(without_keys) {
        let own = |session| decide(asked, keys, Caller { page: Page::Own, session, ..PROGRAM });
        assert_eq!(own(Session::WithToken), Ok(()), "{asked:?}");
        assert_eq!(own(Session::Open), Err(Denied::NoToken), "{asked:?}");
        let foreign = Caller { page: Page::Foreign, session: Session::WithToken, ..PROGRAM };
        let with_key = Caller { key: Key::Of(ALL), ..foreign };
        assert_eq!(decide(asked, keys, with_key), Err(Denied::FromPage), "{asked:?}");
    }
}
