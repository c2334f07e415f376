//! Builds the page of `web/` with npm into `OUT_DIR`, and lists its files and the scripts of the client for `src/web.rs`
//! to embed.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let (page, client) = if env::var_os("CARGO_FEATURE_PAGE").is_some() {
        match build_page(&out_dir).and_then(|page| Ok((page, client_scripts()?))) {
            Ok(files) => files,
            Err(why) => {
                println!("cargo::error={why}");
                return ExitCode::FAILURE;
            }
        }
    } else {
        (Vec::new(), Vec::new())
    };
    for (table, files) in [("page.rs", page), ("client.rs", client)] {
        fs::write(out_dir.join(table), table_of(&files)).expect("OUT_DIR can be written");
    }
    ExitCode::SUCCESS
}

/// The scripts of the client that the page is built with, for other pages, as their names and where they are on disk.
fn client_scripts() -> Result<Vec<(String, PathBuf)>, String> {
    let folder = web().join("node_modules/socket.io-client/dist");
    let cannot_read = |error| format!("the scripts of socket.io-client cannot be read: {error}");
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).map_err(cannot_read)? {
        let path = entry.map_err(cannot_read)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("socket.io.") {
            files.push((name.into_owned(), path));
        }
    }
    files.sort();
    Ok(files)
}

fn web() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web")
}

/// The files of the built page, as their paths on the page and on disk.
fn build_page(out_dir: &Path) -> Result<Vec<(String, PathBuf)>, String> {
    let web = web();
    for input in [
        "index.html",
        "package.json",
        "package-lock.json",
        "src",
        "tsconfig.json",
        "vite.config.ts",
    ] {
        println!("cargo::rerun-if-changed={}", web.join(input).display());
    }
    install(&web)?;
    let page = out_dir.join("page");
    let mut build = npm(&web);
    build
        .args(["run", "build", "--", "--emptyOutDir", "--outDir"])
        .arg(&page);
    run(&mut build)?;
    let mut files = Vec::new();
    collect(&page, "", &mut files)
        .map_err(|error| format!("the built page cannot be read: {error}"))?;
    files.sort();
    Ok(files)
}

/// Runs `npm ci`, unless what is installed is newer than the lock file.
fn install(web: &Path) -> Result<(), String> {
    let modified =
        |file: &str| fs::metadata(web.join(file)).and_then(|metadata| metadata.modified());
    let wanted = modified("package-lock.json")
        .map_err(|error| format!("web/package-lock.json cannot be read: {error}"))?;
    let is_installed =
        modified("node_modules/.package-lock.json").is_ok_and(|installed| installed >= wanted);
    if is_installed {
        return Ok(());
    }
    // Vite is among the packages for development, which an environment may leave out.
    run(npm(web).args(["ci", "--include=dev", "--no-audit", "--no-fund"]))
}

fn npm(web: &Path) -> Command {
    let mut npm = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    npm.current_dir(web);
    npm
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(
                "npm was not found: install Node.js 20.19 or newer, with npm, to build the page, \
                        or build without it by --no-default-features"
                    .to_owned(),
            );
        }
        Err(error) => return Err(format!("npm cannot be run: {error}")),
    };
    if output.status.success() {
        return Ok(());
    }
    for line in output
        .stdout
        .split(|byte| *byte == b'\n')
        .chain(output.stderr.split(|byte| *byte == b'\n'))
    {
        eprintln!("{}", String::from_utf8_lossy(line));
    }
    let words: Vec<_> = command
        .get_args()
        .map(|word| word.to_string_lossy())
        .collect();
    Err(format!(
        "`npm {}` in web/ failed; its output is below, under stderr",
        words.join(" ")
    ))
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = format!("{prefix}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &path, files)?;
        } else {
            files.push((path, entry.path()));
        }
    }
    Ok(())
}

fn table_of(files: &[(String, PathBuf)]) -> String {
    let rows: String = files
        .iter()
        .map(|(path, file)| format!("    ({path:?}, include_bytes!({file:?})),\n"))
        .collect();
    format!("&[\n{rows}]\n")
}
