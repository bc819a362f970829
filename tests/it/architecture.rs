//! The invariants that can be read off the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// A word that must not stand in any file below `under`, but in those of `except`.
struct Ban {
    words: &'static [&'static str],
    under: &'static str,
    except: &'static [&'static str],
    why: &'static str,
}

const BANS: &[Ban] = &[
    Ban {
        words: &["fhircast_gateway_mllp", "fhircast_gateway_ccow"],
        under: "src",
        except: &["src/adapters.rs"],
        why: "the root names an adapter only in adapters.rs",
    },
    Ban {
        words: &["axum", "tokio", "hyper", "std::net", "std::fs", "std::io", "SystemTime::now", "serde_json::Value"],
        under: "src/hub/topic",
        except: &[],
        why: "hub/topic knows no socket, no JSON text, no clock",
    },
    Ban {
        words: &["tokio", "axum", "std::fs", "std::io", "std::net", "std::env", "async fn", "Mutex", "RwLock"],
        under: "src/mapping",
        except: &[],
        why: "mapping does no I/O, and cannot fail at run time for want of a file, a network or a lock",
    },
    Ban {
        words: &["std::fs", "tokio::fs"],
        under: "src",
        except: &["src/store", "src/cli"],
        why: "only the store touches the disk; the command line reads the files it is given",
    },
    Ban { words: &["std::env"], under: "src", except: &["src/main.rs"], why: "only main reads the environment" },
    Ban {
        words: &["SystemTime::now", "std::time::Instant", "Timestamp::now", "Zoned::now"],
        under: "src",
        except: &["src/clock.rs"],
        why: "there is one clock; waiting is tokio's",
    },
    Ban {
        words: &["SystemTime::now", "std::time::Instant", "Timestamp::now", "fhircast_gateway::", "serde_json"],
        under: "adapters",
        except: &[],
        why: "adapters know nothing of FHIR or the root, and are handed their clock",
    },
    Ban {
        words: &["println!", "eprintln!", "print!("],
        under: "src",
        except: &["src/cli"],
        why: "only the command line prints",
    },
];

#[test]
fn modules_know_only_what_the_design_lets_them_know() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut broken = Vec::new();
    for ban in BANS {
        let files = rust_files(&root.join(ban.under));
        assert!(!files.is_empty(), "{} is gone: mend this table", ban.under);
        for path in files {
            let relative = path.strip_prefix(root).unwrap();
            if ban.except.iter().any(|except| relative.starts_with(except)) || relative.ends_with("tests.rs") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for (number, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
                if let Some(word) = ban.words.iter().find(|word| line.contains(**word)) {
                    broken.push(format!("{}:{}: `{word}`: {}", relative.display(), number + 1, ban.why));
                }
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// The sources below `path`, or `path.rs` and what is below it; without tests, fuzz targets and build output.
fn rust_files(path: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Some(path.with_extension("rs")).into_iter().filter(|file| file.is_file()).collect();
    let Ok(entries) = fs::read_dir(path) else { return files };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !["tests", "fuzz", "target"].contains(&name.as_str()) {
            files.extend(rust_files(&path));
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
