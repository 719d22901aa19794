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
    /// An admin's question.
    AdminQuestion,
    /// Whatever changes something: clearing the history, retiring.
    Change,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Operators.
    Admin,
    /// Runners of jobs.
    Runner,
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
    /// One of ours.
    Of(Scope),
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
    /// A session alone could be another page's doing.
    #[error("changes from the page carry its token in x-csrf-token; reload the page")]
    NoToken,
}

/// Whether this caller may. `keys` says whether any are configured.
///
/// # Errors
/// Why not.
pub fn decide(asked: Asked, keys: Keys, caller: Caller) -> Result<(), Denied> {
    if asked == Asked::Protocol {
        return match (caller.network_is_allowed, caller.page) {
            (false, _) => Err(Denied::Network),
            (true, Page::Own | Page::Foreign) => Err(Denied::FromPage),
            (true, Page::None) => Ok(()),
        };
    }
    not_another_page(asked, caller)?;
    match keys {
        Keys::None => without_keys(caller),
        Keys::Some => with_keys(asked, caller),
    }
}

/// Whether keys are configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Keys {
    /// None: the machine is the boundary.
    None,
    /// At least one.
    Some,
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

fn with_keys(asked: Asked, caller: Caller) -> Result<(), Denied> {
    if asked == Asked::Shell {
        return Ok(());
    }
    match (caller.key, caller.session) {
        (Key::Of(Scope::Admin), _) => Ok(()),
        (Key::Of(Scope::Runner), _) if asked == Asked::AdminQuestion => Ok(()),
        (Key::Of(Scope::Runner), _) => Err(Denied::OtherScope),
        (Key::Unknown, _) => Err(Denied::UnknownKey),
        (Key::None, Session::WithToken) => Ok(()),
        (Key::None, Session::Open) if asked == Asked::Change => Err(Denied::NoToken),
        (Key::None, Session::Open) => Ok(()),
        (Key::None, Session::None) => Err(Denied::NoKey),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: Caller = Caller {
        network_is_allowed: true,
        place: Place::Here,
        page: Page::None,
        key: Key::None,
        session: Session::None,
    };
    const AFAR: Caller = Caller { place: Place::OtherMachine, ..PROGRAM };
    const GUARDED: [Asked; 3] = [Asked::Look, Asked::AdminQuestion, Asked::Change];

    #[test]
    fn the_protocol_is_for_allowed_networks_and_never_for_pages() {
        for keys in [Keys::None, Keys::Some] {
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
        for asked in GUARDED.into_iter().chain([Asked::Shell]) {
            assert_eq!(decide(asked, Keys::None, PROGRAM), Ok(()), "{asked:?}");
            for (place, denied) in [
                (Place::OtherMachine, Denied::OtherMachine),
                (Place::BehindProxy, Denied::BehindProxy),
                (Place::OtherName, Denied::OtherName),
            ] {
                let session = Session::WithToken;
                let caller = Caller { place, session, key: Key::Of(Scope::Admin), ..PROGRAM };
                assert_eq!(decide(asked, Keys::None, caller), Err(denied), "{asked:?}");
            }
        }
    }

    #[test]
    fn with_keys_a_key_or_a_session_is_needed_from_everywhere() {
        for asked in GUARDED {
            assert_eq!(decide(asked, Keys::Some, PROGRAM), Err(Denied::NoKey), "{asked:?}");
            let with = |key| decide(asked, Keys::Some, Caller { key, ..AFAR });
            assert_eq!(with(Key::Of(Scope::Admin)), Ok(()), "{asked:?}");
            assert_eq!(with(Key::Unknown), Err(Denied::UnknownKey), "{asked:?}");
            let runners = if asked == Asked::AdminQuestion { Ok(()) } else { Err(Denied::OtherScope) };
            assert_eq!(with(Key::Of(Scope::Runner)), runners, "{asked:?}");
            let open = Caller { session: Session::Open, ..AFAR };
            let reads = if asked == Asked::Change { Err(Denied::NoToken) } else { Ok(()) };
            assert_eq!(decide(asked, Keys::Some, open), reads, "{asked:?}");
        }
        assert_eq!(decide(Asked::Shell, Keys::Some, AFAR), Ok(()));
    }

    #[test]
    fn another_page_may_nothing_and_the_own_page_needs_its_token() {
        for keys in [Keys::None, Keys::Some] {
            for asked in GUARDED {
                let own = |session| decide(asked, keys, Caller { page: Page::Own, session, ..PROGRAM });
                assert_eq!(own(Session::WithToken), Ok(()), "{asked:?}");
                assert_eq!(own(Session::Open), Err(Denied::NoToken), "{asked:?}");
                let foreign = Caller { page: Page::Foreign, session: Session::WithToken, ..PROGRAM };
                let with_key = Caller { key: Key::Of(Scope::Admin), ..foreign };
                assert_eq!(decide(asked, keys, with_key), Err(Denied::FromPage), "{asked:?}");
            }
        }
    }
}
