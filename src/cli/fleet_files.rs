//! Files of a run over many targets: one for each, where its name holds `{target}`, else one for all.

use super::args::{AuditArgs, FormatArg};
use super::audit::Bench;
use super::config::Config;
use super::{output, settings};
use anyhow::{Context, Result, bail};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::path::{Path, PathBuf};

/// What stands for the target in the name of a file.
const PLACE: &str = "{target}";

/// All but letters, digits and three signs is written as %XX: every name is a file's, and no two are the same.
const STRANGE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The name of a file for each target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(String);

impl Template {
    fn of(path: &Path) -> Option<Self> {
        path.to_str().filter(|text| text.contains(PLACE)).map(|text| Self(text.to_owned()))
    }

    fn required(flag: &str, path: &Path) -> Result<Self> {
        let named = Self::of(path);
        let path = path.display();
        named.with_context(|| format!("--{flag} {path}: with --targets it is a file for each: write {PLACE} in it"))
    }

    /// The file of one target.
    pub(super) fn file(&self, target: &str) -> PathBuf {
        PathBuf::from(self.0.replace(PLACE, &file_name(target)))
    }
}

/// A target's name as part of a file's.
fn file_name(target: &str) -> String {
    let name = utf8_percent_encode(target, STRANGE).to_string();
    // A leading dot would hide the file, and two of them would leave the folder.
    name.strip_prefix('.').map_or(name.clone(), |rest| format!("%2E{rest}"))
}

/// Where everything goes.
#[derive(Debug)]
pub(super) struct Files {
    /// Of the overview, on standard output.
    pub(super) format: FormatArg,
    /// Overviews.
    pub(super) overviews: Vec<(FormatArg, PathBuf)>,
    /// Reports.
    reports: Vec<(FormatArg, Template)>,
    /// Snapshots.
    pub(super) save: Option<Template>,
    /// Earlier reports.
    pub(super) baseline: Option<Template>,
}

impl Files {
    pub(super) fn of(config: &Config, args: &AuditArgs, bench: &Bench) -> Result<Self> {
        let format = settings::format(config, args.format);
        let (mut reports, mut overviews) = (Vec::new(), Vec::new());
        for (format, path) in output::parse_outputs(&args.output)? {
            match Template::of(&path) {
                Some(template) => reports.push((format, template)),
                None => overviews.push((format, path)),
            }
        }
        for (format, _) in overviews.iter().map(|(format, path)| (format, Some(path))).chain([(&format, None)]) {
            if !format.is_of_overviews() {
                let name = format.name();
                bail!(
                    "{name} is no format of the overview, which is table, json, markdown, csv or prometheus: write --output {name}={PLACE}.{name} for a report of each target"
                );
            }
        }
        let required =
            |flag, path: &Option<PathBuf>| path.as_deref().map(|path| Template::required(flag, path)).transpose();
        Ok(Self {
            format,
            overviews,
            reports,
            save: required("save", &args.save)?,
            baseline: required("baseline", &bench.baseline_file)?,
        })
    }

    /// Makes the folders of all files: what cannot be written is told before a server is read.
    pub(super) fn make_folders(&self, targets: &[&str]) -> Result<()> {
        let templates = || self.reports.iter().map(|(_, template)| template).chain(&self.save);
        let own = targets.iter().flat_map(|target| templates().map(move |template| template.file(target)));
        for file in own.chain(self.overviews.iter().map(|(_, path)| path.clone())) {
            if let Some(folder) = file.parent().filter(|folder| !folder.exists()) {
                std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            }
        }
        Ok(())
    }

    /// The reports of one target.
    pub(super) fn reports(&self, target: &str) -> Vec<(FormatArg, PathBuf)> {
        self.reports.iter().map(|(format, template)| (*format, template.file(target))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn targets_are_parts_of_file_names() {
        for (target, expected) in [
            ("prod-eu_1.shop", "prod-eu_1.shop"),
            ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
            ("..", "%2E."),
            (".hidden", "%2Ehidden"),
            ("a b%", "a%20b%25"),
            ("münchen", "m%C3%BCnchen"),
        ] {
            assert_eq!(file_name(target), expected);
        }
        assert_eq!(Template::of(Path::new("reports/all.json")), None);
        let template = Template::of(Path::new("reports/{target}/{target}.json")).expect("a template");
        assert_eq!(template.file("a/b"), Path::new("reports/a%2Fb/a%2Fb.json"));
    }

    proptest! {
        #[test]
        fn no_two_targets_share_a_file_and_none_leaves_its_folder(one in ".+", other in ".+") {
            let (name, others) = (file_name(&one), file_name(&other));
            prop_assert!(!name.contains(['/', '\0']) && !name.starts_with('.') && !name.is_empty());
            prop_assert_eq!(name == others, one == other);
        }
    }
}
