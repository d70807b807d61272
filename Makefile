# Each target is one line: what it does stands in scripts/, or is a call of cargo.
.PHONY: help run test check bench

help: ## these lines
	@sed -n 's/^\([a-z]*\):.*## /  make \1  \t/p' Makefile

run: ## install what lacks, build, and serve on http://localhost:8100 (ARGS="--port 8200")
	@scripts/run.sh $(ARGS)

test: ## every test: Rust, web, browsers
	@scripts/test.sh

check: ## formatters, linters, types, documentation, dependencies, walls between the crates
	@scripts/check.sh

bench: ## cost of a forwarded packet, and of its parts
	@cargo bench --workspace --bench '*' -- $(ARGS)
