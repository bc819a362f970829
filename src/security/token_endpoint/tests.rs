//! Requests for tokens and the tokens themselves: tables of good and bad ones.
