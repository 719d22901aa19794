//! Scenes for people to try.
