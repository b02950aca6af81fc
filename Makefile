# Works with Rust, make and curl alone: `setup` installs the rest.
SHELL := /bin/bash
export PATH := $(PATH):$(HOME)/.cargo/bin

# What `make demo` hands to `pgassay demo`, as in: make demo ARGS=--help
ARGS ?=

.PHONY: help setup build demo test lint bench bench-advisor noise soak clean setup-build pages pictures deb static deny

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

setup: ## install compiler, tools and PostgreSQL servers (nothing when all is there)
	@scripts/setup

setup-build:
	@scripts/setup build

build: setup-build ## build the release binary, target/release/pgassay
	cargo build --release --locked

demo: setup ## build, then run `pgassay demo $(ARGS)` against servers of its own
	cargo build --release --locked
	@./target/release/pgassay demo $(ARGS)

test: setup ## run every test, against real servers
	cargo test --locked

lint: setup-build ## check formatting, clippy and documentation, warnings being errors
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items

bench: setup ## run the benchmarks
	cargo bench --locked

# Wants PGASSAY_ADVISOR_DSN and PGASSAY_ADVISOR_QUERIES, as benches/advisor/main.rs says.
bench-advisor: setup-build
	cargo bench --locked --bench advisor

noise: setup ## run one workload twice, 50 times, on a loaded machine: `diff` must not report
	PGASSAY_NOISE_RUNS=50 cargo bench --locked --profile dev --bench noise

soak: setup-build ## run the property tests on 100,000 other cases each
	PROPTEST_CASES=100000 PROPTEST_RNG_SEED=$$(date +%s) cargo test --locked --release --lib

clean: ## remove what was built and the unpacked servers
	cargo clean
	rm -rf .postgres

pages: build ## write docs/rules and docs/schema anew
	@scripts/pages

pictures: build ## draw docs/pictures anew (wants chromium for those of the page)
	@scripts/pictures

deb: build ## build a Debian package, target/debian/*.deb (wants cargo-deb)
	@scripts/dist
	cargo deb --locked --no-build

# libpg_query's bindings are made by libclang, which is to read musl's headers and its own, and not those of glibc.
static: setup-build ## build a static binary, target/x86_64-unknown-linux-musl/release/pgassay (wants musl-gcc and that target)
	@command -v musl-gcc >/dev/null || { echo 'make static: no musl-gcc: apt install musl-tools' >&2; exit 1; }
	CC_x86_64_unknown_linux_musl=musl-gcc \
	BINDGEN_EXTRA_CLANG_ARGS_x86_64_unknown_linux_musl="-isystem /usr/include/x86_64-linux-musl -isystem $(firstword $(wildcard /usr/lib/llvm-*/lib/clang/*/include))" \
	cargo build --release --locked --target x86_64-unknown-linux-musl

deny: ## check licences, sources and advisories of the dependencies (wants cargo-deny)
	cargo deny --locked check
