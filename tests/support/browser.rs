//! A browser without a window, driven over `WebDriver` (W3C) by chromedriver: pages are looked at and used as people do.

use super::root;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Keys that are no letters.
pub(crate) const ESCAPE: &str = "\u{e00c}";
pub(crate) const CONTROL: &str = "\u{e009}";
pub(crate) const TAB: &str = "\u{e004}";

/// No page takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The key under which `WebDriver` names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A session with a profile of its own, which ends with it.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    profile: TempDir,
}

/// Chromium; none where `scripts/setup` found that this release has no package of it.
fn chromium() -> Option<&'static Path> {
    let found = ["/usr/bin/chromium", "/usr/bin/google-chrome"].map(Path::new).into_iter().find(|path| path.exists());
    let unavailable = std::fs::read_to_string(root().join(".postgres/unavailable")).unwrap_or_default();
    let is_promised = !unavailable.lines().any(|package| package.starts_with("chromium"));
    assert!(found.is_some() || !is_promised, "Chromium is missing: run make setup");
    found
}

impl Browser {
    /// A window of the size of a laptop's; none where there is no Chromium to be had.
    pub(crate) fn open() -> Option<Self> {
        let binary = chromium()?;
        let profile = tempfile::tempdir().expect("a folder");
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is missing: run make setup");
        let mut said = BufReader::new(driver.stdout.take().expect("piped")).lines();
        let port = said
            .find_map(|line| line.ok()?.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok())
            .expect("chromedriver says its port");
        let mut browser = Self { driver, port, session: String::new(), profile };
        let folder = format!("--user-data-dir={}", browser.profile.path().display());
        let flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            &folder,
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": flags, "binary": binary},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let session = browser.call("POST", "/session", &wanted);
        browser.session = session["sessionId"].as_str().expect("a session").to_owned();
        browser.size(1366, 768);
        Some(browser)
    }

    /// Opens a page of the text, from a file.
    pub(crate) fn show(&self, html: &str) {
        let file = self.profile.path().join("page.html");
        std::fs::write(&file, html).expect("written");
        self.go(&format!("file://{}", file.display()));
    }

    /// Opens an address.
    pub(crate) fn go(&self, url: &str) {
        self.ask("url", &json!({"url": url}));
    }

    /// What a script returns.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.ask("execute/sync", &json!({"script": script, "args": []}))
    }

    /// The same, where it is a number.
    pub(crate) fn number(&self, script: &str) -> f64 {
        let value = self.run(script);
        value.as_f64().unwrap_or_else(|| panic!("{script}: {value}"))
    }

    /// Clicks what a selector finds first, as a mouse does: what is covered or hidden is an error.
    pub(crate) fn click(&self, selector: &str) {
        let path = format!("element/{}/click", self.element(selector));
        self.ask(&path, &json!({}));
    }

    /// Types into what has the focus; with a first key held down where one is named.
    pub(crate) fn keys(&self, held: Option<&str>, keys: &str) {
        let action = |kind: &str, key: &str| json!({"type": kind, "value": key});
        let strokes = keys.chars().map(String::from).flat_map(|key| [action("keyDown", &key), action("keyUp", &key)]);
        let (down, up) = (held.map(|key| action("keyDown", key)), held.map(|key| action("keyUp", key)));
        let actions: Vec<Value> = down.into_iter().chain(strokes).chain(up).collect();
        self.ask("actions", &json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]}));
    }

    /// The size of the window, in CSS pixels; narrow ones are a phone's.
    pub(crate) fn size(&self, width: u32, height: u32) {
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.devtools("Emulation.setDeviceMetricsOverride", &screen);
    }

    /// `screen` or `print`, `light` or `dark`.
    pub(crate) fn media(&self, media: &str, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.devtools("Emulation.setEmulatedMedia", &json!({"media": media, "features": features}));
    }

    /// The page as PDF on A4, in base64.
    pub(crate) fn print(&self) -> String {
        let page = json!({"page": {"width": 21.0, "height": 29.7}});
        self.ask("print", &page).as_str().expect("a text").to_owned()
    }

    /// What the browser complained of since it was last asked: errors of scripts, breaches of the page's policy.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.ask("se/log", &json!({"type": "browser"}));
        log.as_array().into_iter().flatten().map(|entry| entry["message"].to_string()).collect()
    }

    /// Addresses that were asked for since it was last asked.
    pub(crate) fn requests(&self) -> Vec<String> {
        let log = self.ask("se/log", &json!({"type": "performance"}));
        let url = |entry: &Value| {
            let event: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let message = &event["message"];
            let is_request = message["method"] == "Network.requestWillBeSent";
            is_request.then(|| message["params"]["request"]["url"].as_str().unwrap_or_default().to_owned())
        };
        log.as_array().into_iter().flatten().filter_map(url).collect()
    }

    fn element(&self, selector: &str) -> String {
        let found = self.ask("element", &json!({"using": "css selector", "value": selector}));
        found[ELEMENT].as_str().unwrap_or_else(|| panic!("{selector}: {found}")).to_owned()
    }

    fn devtools(&self, command: &str, params: &Value) {
        self.ask("goog/cdp/execute", &json!({"cmd": command, "params": params}));
    }

    fn ask(&self, path: &str, body: &Value) -> Value {
        self.call("POST", &format!("/session/{}/{path}", self.session), body)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.exchange(method, path, &body.to_string()).unwrap_or_else(|error| panic!("{path}: {error}"));
        let value = &answer["value"];
        assert!(value.get("error").is_none(), "{path}: {}", value["message"]);
        value.clone()
    }

    fn exchange(&self, method: &str, path: &str, body: &str) -> std::io::Result<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let host = format!("127.0.0.1:{}", self.port);
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = text.trim().parse().unwrap_or(0);
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer)?;
        Ok(serde_json::from_slice(&answer)?)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = self.exchange("DELETE", &format!("/session/{}", self.session), "");
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
