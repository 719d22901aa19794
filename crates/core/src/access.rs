//! Decides who may ask for what: DESIGN's table, as one function of facts. It never learns a key, an address or a
//! header: whoever serves a request finds the facts out, once.

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asked {
    /// `/warm-start`, `/connect`, `/health`: a protocol without credentials.
    Protocol,
    /// The page, its parts, and signing in: nothing of them tells of runs or runners.
    Shell,
    /// What is going on: the dashboard's data, its events, metrics.
    Look,
    /// What operators change of runs: clearing the history, retiring.
    Change,
    /// `/api/jobs`: submitting jobs, cancelling them.
    Submit,
    /// `/api/jobs`: asking about a job, watching it. Changes nothing.
    SubmitQuestion,
    /// `/api/runner`: executing jobs.
    Run,
    /// `/api/admin`: asking about all jobs and runners.
    AdminQuestion,
    /// `/api/admin`: deleting jobs.
    AdminChange,
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
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether this scope is one of them.
    #[must_use]
    pub const fn has(self, scope: Scope) -> bool {
        self.meets(Self::only(scope))
    }

    /// Whether they have one in common.
    #[must_use]
    pub const fn meets(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}

/// What is known of who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Whether its address is in a network that may use the protocol.
    pub network_is_allowed: bool,
    /// From where, as far as that counts without keys.
    pub place: Place,
    /// Which web page sent the request.
    pub page: Page,
    /// Which key it shows.
    pub key: Key,
    /// Which session it shows.
    pub session: Session,
}

/// Where a caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// On this machine, directly, and by a loopback name.
    Here,
    /// On another machine.
    OtherMachine,
    /// Behind a proxy: the request says for whom it is forwarded.
    BehindProxy,
    /// On this machine, but by a name that is not loopback's: a web page can make a browser do that.
    OtherName,
}

/// The web page behind a request: browsers name it in `Origin`, programs have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Page {
    /// None.
    None,
    /// The service's own.
    Own,
    /// Any other.
    Foreign,
}

/// The key that a caller shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// None.
    None,
    /// One that is none of ours.
    Unknown,
    /// One of ours. The same text may be configured for several scopes.
    Of(Scopes),
}

/// The session that a caller shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Session {
    /// None, or one that has ended.
    None,
    /// One that is open.
    Open,
    /// One that is open, together with the token that only its page can read.
    WithToken,
}

/// Why somebody may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Denied {
    /// The address is in no network that is allowed.
    #[error("this address is in no network of server.allow")]
    Network,
    /// A web page sent it.
    #[error("this path answers programs, which send no Origin header; web pages do")]
    FromPage,
    /// Without keys: it comes from another machine.
    #[error("without keys configured this path is for callers on this machine (127.0.0.1) only")]
    OtherMachine,
    /// Without keys: a proxy sent it.
    #[error("without keys configured this path refuses proxies (the request has a forwarding header)")]
    BehindProxy,
    /// Without keys: it does not ask by a loopback name.
    #[error("without keys configured this path is called by a loopback name, such as localhost")]
    OtherName,
    /// No key, and no session.
    #[error("this path needs a key: send `Authorization: Bearer <key>`, or sign in on the page at /")]
    NoKey,
    /// The key is none of ours.
    #[error("this key is not known")]
    UnknownKey,
    /// The key is for something else.
    #[error("this key is for something else: this path needs an admin key")]
    OtherScope,
    /// For a client of jobs another's key is as good as none.
    #[error("this key is for something else: this path needs one of {}", .0.setting())]
    WrongKey(Scope),
    /// Keys are configured, but none for this.
    #[error("no key opens this path yet: keys are configured for other paths, so set {} too", .0.setting())]
    NoneConfigured(Scope),
    /// A session alone could be another page's doing.
    #[error("changes from the page carry its token in x-csrf-token; reload the page")]
    NoToken,
}

/// Whether this caller may. `keys` are the scopes that keys are configured for.
///
/// Operators need a key when there are admin keys; those of others shut nobody out of the dashboard. Clients of jobs need
/// a key when there are any keys.
///
/// # Errors
/// Why not.
pub fn decide(asked: Asked, keys: Scopes, caller: Caller) -> Result<(), Denied> {
    match asked {
        Asked::Protocol => protocol(caller),
        Asked::Shell | Asked::Look | Asked::Change => operator(asked, keys, caller),
        Asked::Submit | Asked::SubmitQuestion | Asked::Run | Asked::AdminQuestion | Asked::AdminChange => {
            client(asked, keys, caller)
        }
    }
}

const fn protocol(caller: Caller) -> Result<(), Denied> {
    match (caller.network_is_allowed, caller.page) {
        (false, _) => Err(Denied::Network),
        (true, Page::Own | Page::Foreign) => Err(Denied::FromPage),
        (true, Page::None) => Ok(()),
    }
}

fn operator(asked: Asked, keys: Scopes, caller: Caller) -> Result<(), Denied> {
    not_another_page(asked, caller)?;
    if !keys.has(Scope::Admin) {
        return without_keys(caller);
    }
    match (caller.key, caller.session) {
        _ if asked == Asked::Shell => Ok(()),
        (Key::Of(scopes), _) if scopes.has(Scope::Admin) => Ok(()),
        (Key::Of(_), _) => Err(Denied::OtherScope),
        (Key::Unknown, _) => Err(Denied::UnknownKey),
        (Key::None, Session::WithToken) => Ok(()),
        (Key::None, Session::Open) if asked == Asked::Change => Err(Denied::NoToken),
        (Key::None, Session::Open) => Ok(()),
        (Key::None, Session::None) => Err(Denied::NoKey),
    }
}

/// Browsers name the own page only on what changes something, and only it knows the session's token.
fn not_another_page(asked: Asked, caller: Caller) -> Result<(), Denied> {
    match (caller.page, asked) {
        (Page::None, _) | (Page::Own, Asked::Shell) => Ok(()),
        (Page::Own, _) if caller.session == Session::WithToken => Ok(()),
        (Page::Own, _) => Err(Denied::NoToken),
        (Page::Foreign, _) => Err(Denied::FromPage),
    }
}

const fn without_keys(caller: Caller) -> Result<(), Denied> {
    match caller.place {
        Place::Here => Ok(()),
        Place::OtherMachine => Err(Denied::OtherMachine),
        Place::BehindProxy => Err(Denied::BehindProxy),
        Place::OtherName => Err(Denied::OtherName),
    }
}

/// A key is shown on purpose, so the page that shows it does not matter.
fn client(asked: Asked, keys: Scopes, caller: Caller) -> Result<(), Denied> {
    if keys == Scopes::NONE {
        not_another_page(asked, caller)?;
        return without_keys(caller);
    }
    let (scope, opens) = opened_by(asked);
    match caller.key {
        Key::Of(scopes) if scopes.meets(opens) => Ok(()),
        Key::None if caller.session != Session::None && is_operators(keys, caller) => {
            by_session(asked, caller)
        }
        Key::Of(_) | Key::Unknown | Key::None if !keys.meets(opens) => Err(Denied::NoneConfigured(scope)),
        Key::Of(_) => Err(Denied::WrongKey(scope)),
        Key::Unknown => Err(Denied::UnknownKey),
        Key::None => Err(Denied::NoKey),
    }
}

/// Whose keys open it; the first is the one to ask for.
const fn opened_by(asked: Asked) -> (Scope, Scopes) {
    let scope = match asked {
        Asked::Submit | Asked::SubmitQuestion => Scope::Submit,
        Asked::Run => Scope::Runner,
        Asked::AdminQuestion => {
            return (Scope::Admin, Scopes::only(Scope::Admin).and(Scopes::only(Scope::Runner)));
        }
        Asked::Protocol | Asked::Shell | Asked::Look | Asked::Change | Asked::AdminChange => Scope::Admin,
    };
    (scope, Scopes::only(scope))
}

/// Whether a session is an operator's: somebody has shown an admin key for it. Without one a session is anybody's who asks,
/// and opens nothing that has keys.
fn is_operators(keys: Scopes, caller: Caller) -> bool {
    caller.page != Page::Foreign && keys.has(Scope::Admin)
}

/// Operators may do on the page what callers and admins may; executing jobs is for runners. A question needs no token:
/// browsers name no page with it, and another page could not read the answer.
fn by_session(asked: Asked, caller: Caller) -> Result<(), Denied> {
    let is_question = matches!(asked, Asked::SubmitQuestion | Asked::AdminQuestion);
    let only_asks = is_question && caller.page == Page::None;
    match caller.session {
        _ if asked == Asked::Run => Err(Denied::NoKey),
        Session::WithToken => Ok(()),
        Session::Open if only_asks => Ok(()),
        Session::Open | Session::None => Err(Denied::NoToken),
    }
}

#[cfg(test)]
mod tests;
