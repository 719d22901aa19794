//! DESIGN's table of who may do what, row by row.

use super::*;

const PROGRAM: Caller = Caller {
    network_is_allowed: true,
    peer_origin: PeerOrigin::Loopback,
    web_origin: WebOrigin::None,
    key: PresentedKey::None,
    session: SessionState::None,
};
const AFAR: Caller = Caller { peer_origin: PeerOrigin::OtherMachine, ..PROGRAM };
const OPERATORS: [Permission; 2] = [Permission::DashboardRead, Permission::DashboardWrite];
const CLIENTS: [Permission; 5] = [
    Permission::JobsWrite,
    Permission::JobsRead,
    Permission::RunnerApi,
    Permission::AdminRead,
    Permission::AdminWrite,
];
const ADMIN: Scopes = Scopes::only(Scope::Admin);
const RUNNER: Scopes = Scopes::only(Scope::Runner);
const SUBMIT: Scopes = Scopes::only(Scope::Submit);
const ALL: Scopes = ADMIN.union(RUNNER).union(SUBMIT);

#[test]
fn the_protocol_is_for_allowed_networks_and_never_for_pages() {
    for keys in [Scopes::NONE, ALL] {
        assert_eq!(authorize(Permission::Protocol, keys, AFAR), Ok(()));
        let stranger = Caller { network_is_allowed: false, ..AFAR };
        assert_eq!(authorize(Permission::Protocol, keys, stranger), Err(AccessDenied::Network));
        for web_origin in [WebOrigin::SameOrigin, WebOrigin::CrossOrigin] {
            let caller = Caller { web_origin, ..PROGRAM };
            assert_eq!(authorize(Permission::Protocol, keys, caller), Err(AccessDenied::FromWebPage));
        }
    }
}

#[test]
fn without_keys_everything_else_is_for_this_machine() {
    for permission in OPERATORS.into_iter().chain(CLIENTS).chain([Permission::DashboardPage]) {
        assert_eq!(authorize(permission, Scopes::NONE, PROGRAM), Ok(()), "{permission:?}");
        for (peer_origin, denied) in [
            (PeerOrigin::OtherMachine, AccessDenied::OtherMachine),
            (PeerOrigin::BehindProxy, AccessDenied::BehindProxy),
            (PeerOrigin::NonLoopbackHost, AccessDenied::NonLoopbackHost),
        ] {
            let session = SessionState::WithCsrfToken;
            let caller = Caller { peer_origin, session, key: PresentedKey::Known(ADMIN), ..PROGRAM };
            assert_eq!(authorize(permission, Scopes::NONE, caller), Err(denied), "{permission:?}");
        }
    }
}

#[test]
fn operators_with_keys_show_one_or_a_session_from_everywhere() {
    for permission in OPERATORS {
        assert_eq!(authorize(permission, ADMIN, PROGRAM), Err(AccessDenied::NoKey), "{permission:?}");
        let with = |key| authorize(permission, ALL, Caller { key, ..AFAR });
        assert_eq!(with(PresentedKey::Known(ADMIN)), Ok(()), "{permission:?}");
        assert_eq!(with(PresentedKey::Known(ALL)), Ok(()), "{permission:?}");
        assert_eq!(with(PresentedKey::Unknown), Err(AccessDenied::UnknownKey), "{permission:?}");
        assert_eq!(
            with(PresentedKey::Known(RUNNER.union(SUBMIT))),
            Err(AccessDenied::WrongScope),
            "{permission:?}"
        );
        let open = Caller { session: SessionState::Open, ..AFAR };
        let reads =
            if permission == Permission::DashboardWrite { Err(AccessDenied::NoCsrfToken) } else { Ok(()) };
        assert_eq!(authorize(permission, ALL, open), reads, "{permission:?}");
    }
    assert_eq!(authorize(Permission::DashboardPage, ALL, AFAR), Ok(()));
}

#[test]
fn keys_of_others_shut_nobody_out_of_the_dashboard() {
    for permission in OPERATORS.into_iter().chain([Permission::DashboardPage]) {
        assert_eq!(authorize(permission, RUNNER.union(SUBMIT), PROGRAM), Ok(()), "{permission:?}");
        assert_eq!(authorize(permission, RUNNER, AFAR), Err(AccessDenied::OtherMachine), "{permission:?}");
    }
}

#[test]
fn each_client_of_jobs_needs_the_key_that_is_for_it() {
    use AccessDenied::WrongKey;
    for (permission, shown, may) in [
        (Permission::JobsWrite, SUBMIT, Ok(())),
        (Permission::JobsWrite, RUNNER, Err(WrongKey(Scope::Submit))),
        (Permission::JobsWrite, ADMIN, Err(WrongKey(Scope::Submit))),
        (Permission::JobsWrite, ADMIN.union(SUBMIT), Ok(())),
        (Permission::JobsRead, SUBMIT, Ok(())),
        (Permission::JobsRead, RUNNER, Err(WrongKey(Scope::Submit))),
        (Permission::JobsRead, ADMIN, Err(WrongKey(Scope::Submit))),
        (Permission::RunnerApi, RUNNER, Ok(())),
        (Permission::RunnerApi, SUBMIT, Err(WrongKey(Scope::Runner))),
        (Permission::RunnerApi, ADMIN, Err(WrongKey(Scope::Runner))),
        (Permission::AdminRead, ADMIN, Ok(())),
        (Permission::AdminRead, RUNNER, Ok(())),
        (Permission::AdminRead, SUBMIT, Err(WrongKey(Scope::Admin))),
        (Permission::AdminWrite, ADMIN, Ok(())),
        (Permission::AdminWrite, RUNNER, Err(WrongKey(Scope::Admin))),
        (Permission::AdminWrite, SUBMIT, Err(WrongKey(Scope::Admin))),
    ] {
        for base in [AFAR, PROGRAM] {
            // Whoever shows a key may be any page: it has no other right than the key's.
            for web_origin in [WebOrigin::None, WebOrigin::SameOrigin, WebOrigin::CrossOrigin] {
                let caller = Caller { web_origin, key: PresentedKey::Known(shown), ..base };
                assert_eq!(authorize(permission, ALL, caller), may, "{permission:?} {shown:?}");
            }
        }
    }
    for permission in CLIENTS {
        assert_eq!(authorize(permission, ALL, PROGRAM), Err(AccessDenied::NoKey), "{permission:?}");
        let unknown = Caller { key: PresentedKey::Unknown, ..PROGRAM };
        assert_eq!(authorize(permission, ALL, unknown), Err(AccessDenied::UnknownKey), "{permission:?}");
    }
}

#[test]
fn with_any_key_configured_a_scope_without_one_is_closed_and_says_what_to_set() {
    for (permission, keys, scope) in [
        (Permission::JobsWrite, ADMIN.union(RUNNER), Scope::Submit),
        (Permission::JobsRead, ADMIN.union(RUNNER), Scope::Submit),
        (Permission::RunnerApi, ADMIN.union(SUBMIT), Scope::Runner),
        (Permission::AdminRead, SUBMIT, Scope::Admin),
        (Permission::AdminWrite, SUBMIT.union(RUNNER), Scope::Admin),
    ] {
        for key in [PresentedKey::None, PresentedKey::Unknown, PresentedKey::Known(SUBMIT)] {
            let caller = Caller { key, ..PROGRAM };
            if key != PresentedKey::Known(SUBMIT) || scope != Scope::Submit {
                assert_eq!(
                    authorize(permission, keys, caller),
                    Err(AccessDenied::NoneConfigured(scope)),
                    "{permission:?}"
                );
            }
        }
    }
    let runner = Caller { key: PresentedKey::Known(RUNNER), ..AFAR };
    assert_eq!(authorize(Permission::AdminRead, RUNNER, runner), Ok(()));
    let text = AccessDenied::NoneConfigured(Scope::Submit).to_string();
    assert!(text.contains("auth.submit_keys"), "{text}");
}

#[test]
fn an_operators_session_submits_and_administers_and_never_executes() {
    for (permission, open, with_token) in [
        (Permission::JobsWrite, Err(AccessDenied::NoCsrfToken), Ok(())),
        (Permission::JobsRead, Ok(()), Ok(())),
        (Permission::AdminRead, Ok(()), Ok(())),
        (Permission::AdminWrite, Err(AccessDenied::NoCsrfToken), Ok(())),
        (Permission::RunnerApi, Err(AccessDenied::NoKey), Err(AccessDenied::NoKey)),
    ] {
        for (session, may) in [(SessionState::Open, open), (SessionState::WithCsrfToken, with_token)] {
            let caller = Caller { session, ..AFAR };
            assert_eq!(authorize(permission, ALL, caller), may, "{permission:?}");
            let foreign = Caller { web_origin: WebOrigin::CrossOrigin, ..caller };
            assert_eq!(authorize(permission, ALL, foreign), Err(AccessDenied::NoKey), "{permission:?}");
            // Without admin keys nobody has signed in: a session is whoever's who asked for one.
            let here = Caller { peer_origin: PeerOrigin::Loopback, ..caller };
            assert!(authorize(permission, SUBMIT, here).is_err(), "{permission:?}");
        }
        let own = Caller { web_origin: WebOrigin::SameOrigin, session: SessionState::WithCsrfToken, ..AFAR };
        assert_eq!(authorize(permission, ALL, own), with_token, "{permission:?}");
    }
    let own = Caller { web_origin: WebOrigin::SameOrigin, session: SessionState::Open, ..AFAR };
    for permission in [Permission::JobsRead, Permission::AdminRead] {
        assert_eq!(authorize(permission, ALL, own), Err(AccessDenied::NoCsrfToken), "{permission:?}");
    }
}

#[test]
fn another_page_may_nothing_without_a_clients_key_and_the_own_page_needs_its_token() {
    let without_keys = CLIENTS.into_iter().chain(OPERATORS).map(|permission| (permission, Scopes::NONE));
    for (permission, keys) in OPERATORS.into_iter().map(|permission| (permission, ALL)).chain(without_keys) {
        let own = |session| {
            authorize(permission, keys, Caller { web_origin: WebOrigin::SameOrigin, session, ..PROGRAM })
        };
        assert_eq!(own(SessionState::WithCsrfToken), Ok(()), "{permission:?}");
        assert_eq!(own(SessionState::Open), Err(AccessDenied::NoCsrfToken), "{permission:?}");
        let foreign =
            Caller { web_origin: WebOrigin::CrossOrigin, session: SessionState::WithCsrfToken, ..PROGRAM };
        let with_key = Caller { key: PresentedKey::Known(ALL), ..foreign };
        assert_eq!(authorize(permission, keys, with_key), Err(AccessDenied::FromWebPage), "{permission:?}");
    }
}
