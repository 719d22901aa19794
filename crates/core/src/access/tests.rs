//! The table "Who may do what" of docs/operations.md, row by row.

use super::*;

const LOCAL: Caller = Caller {
    network_is_allowed: true,
    peer_origin: PeerOrigin::Loopback,
    web_origin: WebOrigin::None,
    key: PresentedKey::None,
    session: SessionState::None,
};
const REMOTE: Caller = Caller { peer_origin: PeerOrigin::OtherMachine, ..LOCAL };
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
fn the_protocol_is_for_allowed_networks_and_never_for_web_pages() {
    for keys in [Scopes::NONE, ALL] {
        assert_eq!(authorize(Permission::Protocol, keys, REMOTE), Ok(()));
        let stranger = Caller { network_is_allowed: false, ..REMOTE };
        assert_eq!(authorize(Permission::Protocol, keys, stranger), Err(AccessDenied::Network));
        for web_origin in [WebOrigin::SameOrigin, WebOrigin::CrossOrigin] {
            let caller = Caller { web_origin, ..LOCAL };
            assert_eq!(authorize(Permission::Protocol, keys, caller), Err(AccessDenied::FromWebPage));
        }
    }
}

#[test]
fn without_keys_only_this_machine_has_access() {
    for permission in OPERATORS.into_iter().chain(CLIENTS).chain([Permission::DashboardPage]) {
        assert_eq!(authorize(permission, Scopes::NONE, LOCAL), Ok(()), "{permission:?}");
        for (peer_origin, denied) in [
            (PeerOrigin::OtherMachine, AccessDenied::OtherMachine),
            (PeerOrigin::BehindProxy, AccessDenied::BehindProxy),
            (PeerOrigin::NonLoopbackHost, AccessDenied::NonLoopbackHost),
        ] {
            let session = SessionState::WithCsrfToken;
            let caller = Caller { peer_origin, session, key: PresentedKey::Known(ADMIN), ..LOCAL };
            assert_eq!(authorize(permission, Scopes::NONE, caller), Err(denied), "{permission:?}");
        }
    }
}

#[test]
fn operators_need_an_admin_key_or_a_session() {
    for permission in OPERATORS {
        assert_eq!(authorize(permission, ADMIN, LOCAL), Err(AccessDenied::NoKey), "{permission:?}");
        let with = |key| authorize(permission, ALL, Caller { key, ..REMOTE });
        assert_eq!(with(PresentedKey::Known(ADMIN)), Ok(()), "{permission:?}");
        assert_eq!(with(PresentedKey::Known(ALL)), Ok(()), "{permission:?}");
        assert_eq!(with(PresentedKey::Unknown), Err(AccessDenied::UnknownKey), "{permission:?}");
        assert_eq!(
            with(PresentedKey::Known(RUNNER.union(SUBMIT))),
            Err(AccessDenied::WrongScope),
            "{permission:?}"
        );
        let open = Caller { session: SessionState::Open, ..REMOTE };
        let reads =
            if permission == Permission::DashboardWrite { Err(AccessDenied::NoCsrfToken) } else { Ok(()) };
        assert_eq!(authorize(permission, ALL, open), reads, "{permission:?}");
    }
    assert_eq!(authorize(Permission::DashboardPage, ALL, REMOTE), Ok(()));
}

#[test]
fn only_admin_keys_close_the_dashboard() {
    for permission in OPERATORS.into_iter().chain([Permission::DashboardPage]) {
        assert_eq!(authorize(permission, RUNNER.union(SUBMIT), LOCAL), Ok(()), "{permission:?}");
        assert_eq!(authorize(permission, RUNNER, REMOTE), Err(AccessDenied::OtherMachine), "{permission:?}");
    }
}

#[test]
fn each_job_client_needs_a_key_of_its_scope() {
    use AccessDenied::WrongKey;
    for (permission, shown, expected) in [
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
        for base in [REMOTE, LOCAL] {
            // The page that sends a key does not matter: the request has the key's rights only.
            for web_origin in [WebOrigin::None, WebOrigin::SameOrigin, WebOrigin::CrossOrigin] {
                let caller = Caller { web_origin, key: PresentedKey::Known(shown), ..base };
                assert_eq!(authorize(permission, ALL, caller), expected, "{permission:?} {shown:?}");
            }
        }
    }
    for permission in CLIENTS {
        assert_eq!(authorize(permission, ALL, LOCAL), Err(AccessDenied::NoKey), "{permission:?}");
        let unknown = Caller { key: PresentedKey::Unknown, ..LOCAL };
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
            let caller = Caller { key, ..LOCAL };
            if key != PresentedKey::Known(SUBMIT) || scope != Scope::Submit {
                assert_eq!(
                    authorize(permission, keys, caller),
                    Err(AccessDenied::NoneConfigured(scope)),
                    "{permission:?}"
                );
            }
        }
    }
    let runner = Caller { key: PresentedKey::Known(RUNNER), ..REMOTE };
    assert_eq!(authorize(Permission::AdminRead, RUNNER, runner), Ok(()));
    let text = AccessDenied::NoneConfigured(Scope::Submit).to_string();
    assert!(text.contains("auth.submit_keys"), "{text}");
}

#[test]
fn an_operator_session_may_submit_and_administer_but_not_execute() {
    for (permission, open, with_token) in [
        (Permission::JobsWrite, Err(AccessDenied::NoCsrfToken), Ok(())),
        (Permission::JobsRead, Ok(()), Ok(())),
        (Permission::AdminRead, Ok(()), Ok(())),
        (Permission::AdminWrite, Err(AccessDenied::NoCsrfToken), Ok(())),
        (Permission::RunnerApi, Err(AccessDenied::NoKey), Err(AccessDenied::NoKey)),
    ] {
        for (session, expected) in [(SessionState::Open, open), (SessionState::WithCsrfToken, with_token)] {
            let caller = Caller { session, ..REMOTE };
            assert_eq!(authorize(permission, ALL, caller), expected, "{permission:?}");
            let foreign = Caller { web_origin: WebOrigin::CrossOrigin, ..caller };
            assert_eq!(authorize(permission, ALL, foreign), Err(AccessDenied::NoKey), "{permission:?}");
            // Without admin keys everyone who asks for a session gets one, so a session gives no rights.
            let here = Caller { peer_origin: PeerOrigin::Loopback, ..caller };
            assert!(authorize(permission, SUBMIT, here).is_err(), "{permission:?}");
        }
        let own =
            Caller { web_origin: WebOrigin::SameOrigin, session: SessionState::WithCsrfToken, ..REMOTE };
        assert_eq!(authorize(permission, ALL, own), with_token, "{permission:?}");
    }
    let own = Caller { web_origin: WebOrigin::SameOrigin, session: SessionState::Open, ..REMOTE };
    for permission in [Permission::JobsRead, Permission::AdminRead] {
        assert_eq!(authorize(permission, ALL, own), Err(AccessDenied::NoCsrfToken), "{permission:?}");
    }
}

#[test]
fn a_cross_origin_page_needs_a_client_key_and_the_own_page_its_csrf_token() {
    let without_keys = CLIENTS.into_iter().chain(OPERATORS).map(|permission| (permission, Scopes::NONE));
    for (permission, keys) in OPERATORS.into_iter().map(|permission| (permission, ALL)).chain(without_keys) {
        let own = |session| {
            authorize(permission, keys, Caller { web_origin: WebOrigin::SameOrigin, session, ..LOCAL })
        };
        assert_eq!(own(SessionState::WithCsrfToken), Ok(()), "{permission:?}");
        assert_eq!(own(SessionState::Open), Err(AccessDenied::NoCsrfToken), "{permission:?}");
        let foreign =
            Caller { web_origin: WebOrigin::CrossOrigin, session: SessionState::WithCsrfToken, ..LOCAL };
        let with_key = Caller { key: PresentedKey::Known(ALL), ..foreign };
        assert_eq!(authorize(permission, keys, with_key), Err(AccessDenied::FromWebPage), "{permission:?}");
    }
}
