//! Decides who may ask for what: DESIGN's table, as one function of facts. It never learns a key, an address or a
//! header: whoever serves a request finds the facts out, once.

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// `/warm-start`, `/connect`, `/health`: a protocol without credentials.
    Protocol,
    /// The page, its parts, and signing in: nothing of them tells of runs or runners.
    DashboardPage,
    /// What is going on: the dashboard's data, its events, metrics.
    DashboardRead,
    /// What operators change of runs: clearing the history, retiring.
    DashboardWrite,
    /// `/api/jobs`: submitting jobs, cancelling them.
    JobsWrite,
    /// `/api/jobs`: asking about a job, watching it. Changes nothing.
    JobsRead,
    /// `/api/runner`: executing jobs.
    RunnerApi,
    /// `/api/admin`: asking about all jobs and runners.
    AdminRead,
    /// `/api/admin`: deleting jobs.
    AdminWrite,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Operators.
    Admin,
    /// Runners of jobs.
    Runner,
    /// Callers that submit jobs.
    Submit,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Admin, Self::Runner, Self::Submit];

    /// Where its keys are configured.
    #[must_use]
    pub const fn setting(self) -> &'static str {
        match self {
            Self::Admin => "auth.admin_keys",
            Self::Runner => "auth.runner_keys",
            Self::Submit => "auth.submit_keys",
        }
    }
}

/// Several scopes: those that keys are configured for, or those that one key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// None.
    pub const NONE: Self = Self(0);

    /// This scope alone.
    #[must_use]
    pub const fn only(scope: Scope) -> Self {
        Self(1 << scope as u8)
    }

    /// These, and those.
    #[must_use]
    pub const fn union(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether this scope is one of them.
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        self.intersects(Self::only(scope))
    }

    /// Whether they have one in common.
    #[must_use]
    pub const fn intersects(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}

/// What is known of who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Whether its address is in a network that may use the protocol.
    pub network_is_allowed: bool,
    /// From where, as far as that counts without keys.
    pub peer_origin: PeerOrigin,
    /// Which web page sent the request.
    pub web_origin: WebOrigin,
    /// Which key it shows.
    pub key: PresentedKey,
    /// Which session it shows.
    pub session: SessionState,
}

/// Where a caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeerOrigin {
    /// On this machine, directly, and by a loopback name.
    Loopback,
    /// On another machine.
    OtherMachine,
    /// Behind a proxy: the request says for whom it is forwarded.
    BehindProxy,
    /// On this machine, but by a name that is not loopback's: a web page can make a browser do that.
    NonLoopbackHost,
}

/// The web page behind a request: browsers name it in `Origin`, programs have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WebOrigin {
    /// None.
    None,
    /// The service's own.
    SameOrigin,
    /// Any other.
    CrossOrigin,
}

/// The key that a caller shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PresentedKey {
    /// None.
    None,
    /// One that is none of ours.
    Unknown,
    /// One of ours. The same text may be configured for several scopes.
    Known(Scopes),
}

/// The session that a caller shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionState {
    /// None, or one that has ended.
    None,
    /// One that is open.
    Open,
    /// One that is open, together with the token that only its page can read.
    WithCsrfToken,
}

/// Why somebody may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AccessDenied {
    /// The address is in no network that is allowed.
    #[error("this address is in no network of server.allow")]
    Network,
    /// A web page sent it.
    #[error("this path answers programs, which send no Origin header; web pages do")]
    FromWebPage,
    /// Without keys: it comes from another machine.
    #[error("without keys configured this path is for callers on this machine (127.0.0.1) only")]
    OtherMachine,
    /// Without keys: a proxy sent it.
    #[error("without keys configured this path refuses proxies (the request has a forwarding header)")]
    BehindProxy,
    /// Without keys: it does not ask by a loopback name.
    #[error("without keys configured this path is called by a loopback name, such as localhost")]
    NonLoopbackHost,
    /// No key, and no session.
    #[error("this path needs a key: send `Authorization: Bearer <key>`, or sign in on the page at /")]
    NoKey,
    /// The key is none of ours.
    #[error("this key is not known")]
    UnknownKey,
    /// The key is for something else.
    #[error("this key is for something else: this path needs an admin key")]
    WrongScope,
    /// For a client of jobs another's key is as good as none.
    #[error("this key is for something else: this path needs one of {}", .0.setting())]
    WrongKey(Scope),
    /// Keys are configured, but none for this.
    #[error("no key opens this path yet: keys are configured for other paths, so set {} too", .0.setting())]
    NoneConfigured(Scope),
    /// A session alone could be another page's doing.
    #[error("changes from the page carry its token in x-csrf-token; reload the page")]
    NoCsrfToken,
}

/// Whether this caller may. `keys` are the scopes that keys are configured for.
///
/// Operators need a key when there are admin keys; those of others shut nobody out of the dashboard. Clients of jobs need
/// a key when there are any keys.
///
/// # Errors
/// Why not.
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

/// Browsers name the own page only on what changes something, and only it knows the session's token.
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

/// A key is shown on purpose, so the page that shows it does not matter.
fn authorize_client(permission: Permission, keys: Scopes, caller: Caller) -> Result<(), AccessDenied> {
    if keys == Scopes::NONE {
        require_same_origin(permission, caller)?;
        return require_loopback_peer(caller);
    }
    let (scope, accepted) = accepted_scopes(permission);
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

/// Whose keys open it; the first is the one to ask for.
const fn accepted_scopes(permission: Permission) -> (Scope, Scopes) {
    let scope = match permission {
        Permission::JobsWrite | Permission::JobsRead => Scope::Submit,
        Permission::RunnerApi => Scope::Runner,
        Permission::AdminRead => {
            return (Scope::Admin, Scopes::only(Scope::Admin).union(Scopes::only(Scope::Runner)));
        }
        Permission::Protocol
        | Permission::DashboardPage
        | Permission::DashboardRead
        | Permission::DashboardWrite
        | Permission::AdminWrite => Scope::Admin,
    };
    (scope, Scopes::only(scope))
}

/// Whether a session is an operator's: somebody has shown an admin key for it. Without one a session is anybody's who asks,
/// and opens nothing that has keys.
fn is_operator_session(keys: Scopes, caller: Caller) -> bool {
    caller.web_origin != WebOrigin::CrossOrigin && keys.contains(Scope::Admin)
}

/// Operators may do on the page what callers and admins may; executing jobs is for runners. A question needs no token:
/// browsers name no page with it, and another page could not read the answer.
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
