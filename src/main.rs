//! `cargo perf`: hands the arguments to the library and turns its answer into an exit code.

fn main() -> std::process::ExitCode {
    cargo_perf_lab::cli::main(std::env::args_os())
}
