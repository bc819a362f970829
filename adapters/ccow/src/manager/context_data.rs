//! The interfaces `ContextData` and `SecureContextData`; the second as the first, unsigned. Sections 4 and 12.

use super::{Call, ItemReplies, Manager, Result, context, not_implemented, participant};
use crate::arguments::Arguments;
use crate::exception::{Exception, ExceptionName};
use crate::items::{Item, ItemName};
use crate::oddity::Oddity;
use crate::reply::Reply;
use crate::transaction::{Command, Effect};

impl Manager {
    pub(super) fn context_data(
        &mut self,
        method: &str,
        arguments: &mut Arguments,
        call: Call,
        effects: &mut Vec<Effect>,
    ) -> Result<Reply> {
        match method {
            "getitemnames" => self.item_names(arguments),
            "getitemvalues" => self.item_values(arguments),
            "setitemvalues" => self.set_item_values(arguments, call, effects),
            _ => Err(not_implemented("this method of ContextData")),
        }
    }

    pub(super) fn secure_context_data(
        &mut self,
        method: &str,
        arguments: &mut Arguments,
        call: Call,
        effects: &mut Vec<Effect>,
    ) -> Result<Reply> {
        let reply = self.context_data(method, arguments, call, effects)?;
        Ok(if method == "getitemvalues" { reply.with("managerSignature", "") } else { reply })
    }

    fn item_names(&self, arguments: &Arguments) -> Result<Reply> {
        let context = self.session.context(context(arguments)?)?;
        let shown = context.items.iter().filter(|item| self.shows(item));
        let output = match self.policy.item_replies {
            ItemReplies::Alternating => "names",
            ItemReplies::Separate => "itemNames",
        };
        Ok(Reply::void().with_array(output, shown.map(|item| item.name.text())))
    }

    /// Names with their values; names that nobody has set are left out.
    fn item_values(&self, arguments: &Arguments) -> Result<Reply> {
        let context = self.session.context(context(arguments)?)?;
        let only_changes = arguments.boolean("onlyChanges").unwrap_or(false);
        let items = if only_changes { &context.changes } else { &context.items };
        let found = items.matching(&arguments.array("itemNames"));
        let shown: Vec<&Item> = found.into_iter().filter(|item| self.shows(item)).collect();
        let names = shown.iter().map(|item| item.name.text());
        Ok(match self.policy.item_replies {
            ItemReplies::Alternating => {
                Reply::void().with_array("itemValues", shown.iter().flat_map(|item| [item.name.text(), &item.value]))
            }
            ItemReplies::Separate => {
                let values = shown.iter().map(|item| &item.value);
                Reply::void().with_array("itemNames", names).with_array("itemValues", values)
            }
        })
    }

    fn set_item_values(&mut self, arguments: &mut Arguments, call: Call, effects: &mut Vec<Effect>) -> Result<Reply> {
        let pairs = arguments.parallel("itemNames", "itemValues")?;
        if pairs.len() > self.policy.rules.max_items {
            return Err(Exception::new(ExceptionName::BadItemValue, "the context would be larger than is kept"));
        }
        let items =
            pairs.into_iter().map(|(name, value)| Ok(Item { name: ItemName::parse(name)?, value: value.to_owned() }));
        let items = items.collect::<Result<Vec<_>>>()?;
        let secret = items.iter().any(|item| item.name.is_bearer_secret());
        let set = Command::Set { participant: participant(arguments), context: context(arguments)?, items };
        let reply = self.void(set, call, effects)?;
        if secret {
            arguments.oddities.note(Oddity::BearerSecretDropped);
        }
        Ok(reply)
    }

    fn shows(&self, item: &Item) -> bool {
        self.policy.secure_subjects_readable || !item.name.subject().is_secure()
    }
}
