//! The exceptions of CCOW, by the names that the web wire carries. Sections 2.4 and 8.

use std::fmt;

/// Why a call failed, as its caller is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {message}")]
pub struct Exception {
    /// What the standard calls it.
    pub name: ExceptionName,
    /// One sentence for whoever reads the caller's log; holds no values of items.
    pub message: String,
}

impl Exception {
    /// An exception with its sentence.
    pub fn new(name: ExceptionName, message: impl Into<String>) -> Self {
        Self { name, message: message.into() }
    }
}

macro_rules! exceptions {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The exceptions raised here. Section 8.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ExceptionName { $($(#[$doc])* $name,)* }

        impl fmt::Display for ExceptionName {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(match self { $(Self::$name => stringify!($name),)* })
            }
        }
    };
}

exceptions! {
    /// Accepting a change that cannot be forced.
    AcceptNotPossible,
    /// An application of that name has joined already.
    AlreadyJoined,
    /// An item name that cannot be read.
    BadItemNameFormat,
    /// An item that is no part of a context.
    BadItemType,
    /// An item value that cannot be carried.
    BadItemValue,
    /// A property of a registry call with a value that is not served.
    BadPropertyValue,
    /// Secure binding is not offered.
    BindingRejected,
    /// Setting items after the end of the changes, or by another than who began them.
    ChangesNotAllowed,
    /// Publishing before the end of the changes.
    ChangesNotEnded,
    /// Setting items after the end of the changes.
    ChangesNotPossible,
    /// Asking for a filter that was never set.
    FilterNotSet,
    /// Anything unexpected.
    GeneralFailure,
    /// A coupon of neither the committed context nor the present transaction.
    InvalidContextCoupon,
    /// A context that cannot be: a dependent subject without its parent, a subject without an identifier.
    InvalidTransaction,
    /// As many values as names are needed.
    NameValueCountMismatch,
    /// Nobody here implements the interface or the method.
    NotImplemented,
    /// There is no transaction.
    NotInTransaction,
    /// A secure subject is set by an application that may not.
    SignatureRequired,
    /// As many applications have joined as may.
    TooManyParticipants,
    /// Somebody's transaction is in progress.
    TransactionInProgress,
    /// No context manager of that name.
    UnableToLocate,
    /// Undoing after the end of the changes.
    UndoNotPossible,
    /// No application has joined with this coupon.
    UnknownParticipant,
    /// A property of a registry call that nobody knows.
    UnknownPropertyName,
    /// The address names no session.
    UnknownSession,
}
