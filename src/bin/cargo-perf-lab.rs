//! The same program under a second name, for machines where another tool owns `cargo-perf`.

fn main() -> std::process::ExitCode {
    cargo_perf_lab::cli::main(std::env::args_os())
}
