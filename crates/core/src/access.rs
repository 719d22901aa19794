//! Decides which caller has which permission: the table "Who may do what" of docs/operations.md as one function. It
//! gets facts only, never a key, an address or a header; the HTTP layer determines the facts once per request.

/// What a request needs permission for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// `/warm-start`, `/connect`, `/health`: a protocol without credentials.
    Protocol,
    /// The dashboard page, its assets, and the sign-in. They contain no data about runs or runners.
    DashboardPage,
    /// The dashboard's data, its event stream, and the metrics.
    DashboardRead,
    /// Changes by operators: clearing the history, retiring runners.
    DashboardWrite,
    /// `/api/jobs`: submitting and cancelling jobs.
    JobsWrite,
    /// `/api/jobs`: reading and watching jobs, without changing them.
    JobsRead,
    /// `/api/runner`: executing jobs.
    RunnerApi,
    /// `/api/admin`: reading all jobs and runners.
    AdminRead,
    /// `/api/admin`: deleting jobs.
    AdminWrite,
}

/// The kind of caller that a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Operators.
    Admin,
    /// Runners that execute jobs.
    Runner,
    /// Callers that submit jobs.
    Submit,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 3] = [Self::Admin, Self::Runner, Self::Submit];

    /// The setting that configures the keys of this scope.
    #[must_use]
    pub const fn setting(self) -> &'static str {
        match self {
            Self::Admin => "auth.admin_keys",
            Self::Runner => "auth.runner_keys",
            Self::Submit => "auth.submit_keys",
        }
    }
}

/// A set of scopes: those with configured keys, or those of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// The set of this scope only.
    #[must_use]
    pub const fn only(scope: Scope) -> Self {
        Self(1 << scope as u8)
    }

    /// The scopes that are in at least one of the two sets.
    #[must_use]
    pub const fn union(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether the set contains this scope.
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        self.intersects(Self::only(scope))
    }

    /// Whether the two sets have a scope in common.
    #[must_use]
    pub const fn intersects(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}

/// The facts about the caller of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Whether the caller's address is in a network that may use the protocol.
    pub network_is_allowed: bool,
    /// Where the caller is. It decides when no keys are configured.
    pub peer_origin: PeerOrigin,
    /// Which web page sent the request.
    pub web_origin: WebOrigin,
    /// Which key the request has.
    pub key: PresentedKey,
    /// Which session the request has.
    pub session: SessionState,
}

/// Where a caller is, as far as it can be determined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeerOrigin {
    /// On this machine, without a proxy, with a loopback host name in the request.
    Loopback,
    /// On another machine.
    OtherMachine,
    /// Behind a proxy: the request has a forwarding header.
    BehindProxy,
    /// On this machine, but the request's host name is not a loopback name. A web page can make a browser send such a
    /// request (DNS rebinding).
    NonLoopbackHost,
}

/// The web page that sent a request. Browsers name it in `Origin`; other programs send no `Origin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WebOrigin {
    /// No page: the request has no `Origin`.
    None,
    /// The service's own page.
    SameOrigin,
    /// Another page.
    CrossOrigin,
}

/// The key in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PresentedKey {
    /// No key.
    None,
    /// A key that is not configured.
    Unknown,
    /// A configured key. The same key may be configured for several scopes.
    Known(Scopes),
}

/// The session in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionState {
    /// No session, or an ended one.
    None,
    /// An open session.
    Open,
    /// An open session together with its CSRF token, which only the service's own page can read.
    WithCsrfToken,
}

/// Why access is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AccessDenied {
    /// The caller's address is in no allowed network.
    #[error("this address is in no network that server.allow lists")]
    Network,
    /// A web page sent the request.
    #[error("this path is for programs: requests of web pages (with an Origin header) are refused")]
    FromWebPage,
    /// No keys are configured, and the caller is on another machine.
    #[error("without keys configured this path is for callers on this machine (127.0.0.1) only")]
    OtherMachine,
    /// No keys are configured, and the request came through a proxy.
    #[error("without keys configured this path refuses proxies (the request has a forwarding header)")]
    BehindProxy,
    /// No keys are configured, and the request's host name is not a loopback name.
    #[error("without keys configured this path must be requested by a loopback name, such as localhost")]
    NonLoopbackHost,
    /// The request has no key and no session.
    #[error("this path needs a key: send `Authorization: Bearer <key>`, or sign in on the page at /")]
    NoKey,
    /// The request's key is not configured.
    #[error("this key is not known")]
    UnknownKey,
    /// The key has another scope than `admin`.
    #[error("this key has another scope: this path needs an admin key")]
    WrongScope,
    /// The key has another scope than this one, which a client of the jobs API needs here.
    #[error("this key has another scope: this path needs one of {}", .0.setting())]
    WrongKey(Scope),
    /// Keys are configured, but none with the scope that this path needs.
    #[error("no configured key gives access to this path; set {} too", .0.setting())]
    NoneConfigured(Scope),
    /// The request has a session but not its CSRF token, so another page may have sent it.
    #[error("changes need the page's token in the header x-csrf-token; reload the page")]
    NoCsrfToken,
}

/// Decides whether this caller has the permission. `keys` are the scopes that have configured keys.
///
/// The dashboard needs a key only when admin keys are configured. The jobs API needs a key when any keys are
/// configured.
///
/// # Errors
/// The reason for the denial.
pub fn authorize(permission: Permission, keys: Scopes, caller: Caller) -> Result<(), AccessDenied> {
    match permission {
        Permission::Protocol => authorize_protocol(caller),
        Permission::DashboardPage | Permission::DashboardRead | Permission::DashboardWrite => {
            authorize_operator(permission, keys, caller)
        }
        Permission::JobsWrite
        | Permission::JobsRead
        | Permission::RunnerApi
        | Permission::AdminRead
        | Permission::AdminWrite => authorize_client(permission, keys, caller),
    }
}

const fn authorize_protocol(caller: Caller) -> Result<(), AccessDenied> {
    match (caller.network_is_allowed, caller.web_origin) {
        (false, _) => Err(AccessDenied::Network),
        (true, WebOrigin::SameOrigin | WebOrigin::CrossOrigin) => Err(AccessDenied::FromWebPage),
        (true, WebOrigin::None) => Ok(()),
    }
}

fn authorize_operator(permission: Permission, keys: Scopes, caller: Caller) -> Result<(), AccessDenied> {
    require_same_origin(permission, caller)?;
    if !keys.contains(Scope::Admin) {
        return require_loopback_peer(caller);
    }
    match (caller.key, caller.session) {
        _ if permission == Permission::DashboardPage => Ok(()),
        (PresentedKey::Known(scopes), _) if scopes.contains(Scope::Admin) => Ok(()),
        (PresentedKey::Known(_), _) => Err(AccessDenied::WrongScope),
        (PresentedKey::Unknown, _) => Err(AccessDenied::UnknownKey),
        (PresentedKey::None, SessionState::WithCsrfToken) => Ok(()),
        (PresentedKey::None, SessionState::Open) if permission == Permission::DashboardWrite => {
            Err(AccessDenied::NoCsrfToken)
        }
        (PresentedKey::None, SessionState::Open) => Ok(()),
        (PresentedKey::None, SessionState::None) => Err(AccessDenied::NoKey),
    }
}

/// Only the service's own page knows the session's token. Browsers send `Origin` for that page only with requests that
/// change something.
fn require_same_origin(permission: Permission, caller: Caller) -> Result<(), AccessDenied> {
    match (caller.web_origin, permission) {
        (WebOrigin::None, _) | (WebOrigin::SameOrigin, Permission::DashboardPage) => Ok(()),
        (WebOrigin::SameOrigin, _) if caller.session == SessionState::WithCsrfToken => Ok(()),
        (WebOrigin::SameOrigin, _) => Err(AccessDenied::NoCsrfToken),
        (WebOrigin::CrossOrigin, _) => Err(AccessDenied::FromWebPage),
    }
}

const fn require_loopback_peer(caller: Caller) -> Result<(), AccessDenied> {
    match caller.peer_origin {
        PeerOrigin::Loopback => Ok(()),
        PeerOrigin::OtherMachine => Err(AccessDenied::OtherMachine),
        PeerOrigin::BehindProxy => Err(AccessDenied::BehindProxy),
        PeerOrigin::NonLoopbackHost => Err(AccessDenied::NonLoopbackHost),
    }
}

/// A program sends a key on purpose, so the page that the request comes from does not matter.
fn authorize_client(permission: Permission, keys: Scopes, caller: Caller) -> Result<(), AccessDenied> {
    if keys == Scopes::NONE {
        require_same_origin(permission, caller)?;
        return require_loopback_peer(caller);
    }
    let (scope, accepted) = (expected_scope(permission), accepted_scopes(permission));
    match caller.key {
        PresentedKey::Known(scopes) if scopes.intersects(accepted) => Ok(()),
        PresentedKey::None if caller.session != SessionState::None && is_operator_session(keys, caller) => {
            authorize_session(permission, caller)
        }
        PresentedKey::Known(_) | PresentedKey::Unknown | PresentedKey::None if !keys.intersects(accepted) => {
            Err(AccessDenied::NoneConfigured(scope))
        }
        PresentedKey::Known(_) => Err(AccessDenied::WrongKey(scope)),
        PresentedKey::Unknown => Err(AccessDenied::UnknownKey),
        PresentedKey::None => Err(AccessDenied::NoKey),
    }
}

/// The scopes whose keys give this permission.
#[must_use]
pub const fn accepted_scopes(permission: Permission) -> Scopes {
    match permission {
        Permission::AdminRead => Scopes::only(Scope::Admin).union(Scopes::only(Scope::Runner)),
        Permission::Protocol
        | Permission::DashboardPage
        | Permission::DashboardRead
        | Permission::DashboardWrite
        | Permission::JobsWrite
        | Permission::JobsRead
        | Permission::RunnerApi
        | Permission::AdminWrite => Scopes::only(expected_scope(permission)),
    }
}

/// The scope that an error names when a key is missing or has another scope.
const fn expected_scope(permission: Permission) -> Scope {
    match permission {
        Permission::JobsWrite | Permission::JobsRead => Scope::Submit,
        Permission::RunnerApi => Scope::Runner,
        Permission::Protocol
        | Permission::DashboardPage
        | Permission::DashboardRead
        | Permission::DashboardWrite
        | Permission::AdminRead
        | Permission::AdminWrite => Scope::Admin,
    }
}

/// Whether the session is an operator's. With admin keys configured, a session exists only after someone presented an
/// admin key. Without admin keys everyone who asks gets a session, so it gives no access to paths that need a key.
fn is_operator_session(keys: Scopes, caller: Caller) -> bool {
    caller.web_origin != WebOrigin::CrossOrigin && keys.contains(Scope::Admin)
}

/// An operator session may do what callers and admins may do, but may not execute jobs. Reading needs no token:
/// browsers send no `Origin` with it, and another page cannot read the response.
fn authorize_session(permission: Permission, caller: Caller) -> Result<(), AccessDenied> {
    let is_read = matches!(permission, Permission::JobsRead | Permission::AdminRead);
    let is_safe_read = is_read && caller.web_origin == WebOrigin::None;
    match caller.session {
        _ if permission == Permission::RunnerApi => Err(AccessDenied::NoKey),
        SessionState::WithCsrfToken => Ok(()),
        SessionState::Open if is_safe_read => Ok(()),
        SessionState::Open | SessionState::None => Err(AccessDenied::NoCsrfToken),
    }
}

#[cfg(test)]
mod tests;
