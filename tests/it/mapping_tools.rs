//! The commands around mappings, as their users start them.

mod check;
mod diff;
mod map;
mod new;
mod reference;
mod schema;
mod test;

use std::fs;
use std::path::{Path, PathBuf};

use crate::command_line::{run, temporary};

/// A site's mapping files, in a directory of their own.
pub(crate) struct Site {
    directory: PathBuf,
}

impl Site {
    /// A site with these files.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let site = Self { directory: temporary("site") };
        files.iter().for_each(|(name, text)| site.write(name, text));
        site
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.directory.join(name)).unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    /// Runs a command on this site: its exit code, and what it printed on both ways, the directory's name left out.
    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let setting = format!("mappings.directory={}", self.directory.display());
        let (code, said, errors) = run(&[&["--set", &setting], arguments].concat());
        (code, self.anonymous(&said), self.anonymous(&errors))
    }

    /// As [`Site::run`], for a command that must do its work.
    #[track_caller]
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let (code, said, errors) = self.run(arguments);
        assert_eq!(code, 0, "{said}\n{errors}");
        said
    }

    pub(crate) fn anonymous(&self, text: &str) -> String {
        text.replace(&self.directory.display().to_string(), "SITE")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A mapping that shows a patient's record.
pub(crate) const DESK: &str = r#"extends = "hl7v2/radiology"
about = "The desk"

[accept]
when = 'MSH-3.1 == "DESK"'

[session]
user = "${EVN-5.1}"

[[event]]
name = "Patient-open"
when = 'MSH-9.2 == "A04"'
"#;

/// What its case says, and what is right.
pub(crate) const CASE: &str = r#"# The desk

## A patient is registered

The name is not looked at.

```hl7
MSH|^~\&|DESK|MAIN|||20260504081530||ADT^A04|1|P|2.3.1
EVN|A04|20260504|||mlindqv
PID|1||4455667^^^LAKESIDE^MR||Okafor^Ngozi||19700412|F
```

```json
{
  "session": { "user": "*" },
  "events": [
    { "event": "Patient-open", "context": [{ "key": "patient", "resource": { "gender": "female",   "name": "*" } }] }
  ]
}
```

And that is all.
"#;
