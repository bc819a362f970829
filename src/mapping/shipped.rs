//! The mappings that come with the program, compiled in.

use super::source::SourceFile;

/// Name and text of each, by name.
const SHIPPED: [(&str, &str); 15] = [
    ("ccow/base", include_str!("../../mappings/ccow/base.toml")),
    ("hl7v2/appointments", include_str!("../../mappings/hl7v2/appointments.toml")),
    ("hl7v2/document-status", include_str!("../../mappings/hl7v2/document-status.toml")),
    ("hl7v2/documents", include_str!("../../mappings/hl7v2/documents.toml")),
    ("hl7v2/imaging-orders", include_str!("../../mappings/hl7v2/imaging-orders.toml")),
    ("hl7v2/order-status", include_str!("../../mappings/hl7v2/order-status.toml")),
    ("hl7v2/patient", include_str!("../../mappings/hl7v2/patient.toml")),
    ("hl7v2/radiology", include_str!("../../mappings/hl7v2/radiology.toml")),
    ("hl7v2/registration-desk", include_str!("../../mappings/hl7v2/registration-desk.toml")),
    ("hl7v2/result-status", include_str!("../../mappings/hl7v2/result-status.toml")),
    ("hl7v2/z-segment", include_str!("../../mappings/hl7v2/z-segment.toml")),
    ("vendors/acme-ris", include_str!("../../mappings/vendors/acme-ris.toml")),
    ("vendors/vista-desktop", include_str!("../../mappings/vendors/vista-desktop.toml")),
    ("vendors/vista-radiology", include_str!("../../mappings/vendors/vista-radiology.toml")),
    ("vendors/vista-surgery", include_str!("../../mappings/vendors/vista-surgery.toml")),
];

/// The mapping files that come with the program.
pub fn shipped() -> Vec<SourceFile> {
    let file = |(name, text): &(&str, &str)| SourceFile::named(name, text);
    SHIPPED.iter().map(file).collect()
}

impl SourceFile {
    /// The file of the mapping `name` in the folder `mappings`; of a table, if the name ends in `.csv`.
    pub fn named(name: &str, text: &str) -> Self {
        let extension = if name.ends_with(".csv") { "" } else { ".toml" };
        Self { name: name.to_owned(), path: format!("mappings/{name}{extension}"), text: text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The names of all `.toml` files under `folder`, from there on.
    fn names(folder: &Path, prefix: &str, names: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                self::names(&entry.path(), &format!("{name}/"), names);
            } else if let Some(name) = name.strip_suffix(".toml") {
                names.push(name.to_owned());
            }
        }
    }

    #[test]
    fn every_mapping_of_the_folder_is_shipped() {
        let mut there = Vec::new();
        names(&Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings"), "", &mut there);
        there.sort();
        assert_eq!(shipped().into_iter().map(|file| file.name).collect::<Vec<_>>(), there);
    }
}
