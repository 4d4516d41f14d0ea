//! Turns `schema/**/*.proto` into Rust types and into the tables that the walker runs by.
//!
//! No `protoc`: the schema is compiled in process. A field or RPC that nobody decided about stops
//! the build with the whole list of what is missing.

#[path = "build/decide.rs"]
mod decide;
#[path = "build/emit.rs"]
mod emit;
#[path = "build/model.rs"]
mod model;
#[path = "build/options.rs"]
mod options;

use std::{
    env,
    error::Error,
    fs, io,
    path::{Path, PathBuf},
};

const SCHEMA: &str = "schema";
// Declares the annotations; holds no message of the protocol.
const ANNOTATIONS: &str = "mesh/options.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={SCHEMA}");
    println!("cargo:rerun-if-changed=build");

    let mut files = Vec::new();
    collect_protos(Path::new(SCHEMA), &mut files)?;
    files.sort();

    let mut compiler = protox::Compiler::new([SCHEMA])?;
    compiler.include_imports(true).open_files(&files)?;

    write_types(compiler.file_descriptor_set())?;
    let schema =
        model::Schema::read(&compiler.descriptor_pool()).map_err(|faults| faults.join("\n"))?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("tables.rs"), emit::tables(&schema))?;
    Ok(())
}

fn collect_protos(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect_protos(&path, files)?;
        } else if path.extension().is_some_and(|ext| ext == "proto") {
            files.push(path);
        }
    }
    Ok(())
}

fn write_types(mut set: prost_types::FileDescriptorSet) -> io::Result<()> {
    set.file.retain(|file| file.name() != ANNOTATIONS);
    prost_build::Config::new()
        .bytes(["."])
        .btree_map(["."])
        .include_file("types.rs")
        .compile_fds(set)
}
