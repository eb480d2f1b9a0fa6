# tomkit: every command a developer, an operator or CI needs. `make help` lists them.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test integration images bench soak lint fuzz build postgres mutate clean

ARGS     ?=            # passed on to `tomkit demo`, e.g. ARGS=--once
BENCH    ?= .          # room to measure: rls, ledger (append, verify), token, abac, vault
SOAK     ?= ./...      # packages to soak
FUZZTIME ?= 10s        # time for each fuzz target

# The decision core of abac, which mutation testing covers.
MUTATE = policy.go set.go universe.go roles.go decision.go subject.go tenants.go condition.go clearance.go window.go network.go \
	constraint.go menu.go grant.go rights.go demand.go

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: postgres ## run every control against this machine's own telemetry, then attack it
	go run ./cmd/tomkit demo $(ARGS)

test: postgres ## run all tests of the main module, with the race detector, against a real PostgreSQL
	TOMKIT_TEST_REQUIRE=1 go test -race -shuffle=on -p 4 ./...

integration: images ## run the testcontainers suites on this machine's container engine
	.ci/integration

images: ## make the container images of the suites where no registry can be reached
	.ci/images

bench: postgres ## measure ours beside the peers: bench: NAME ours=… peer=… ratio=… target=…
	go -C internal/bench run . -room '$(strip $(BENCH))'

soak: postgres ## long form of the exhaustive and chaos tests (hours)
	go -C internal/integration/vaultcore test -count=1 ./... # a real Vault: minutes to compile
	TOMKIT_SOAK=1 go -C internal/integration test -timeout 0 -count=1 -run Cedars ./oracle # 2·10⁸ decisions beside cedar-go
	TOMKIT_SOAK=1 TOMKIT_TEST_REQUIRE=1 go test -timeout 0 -count=1 $(SOAK)

lint: ## formatting, vet, staticcheck, house rules
	.ci/lint

fuzz: ## run every fuzz target for FUZZTIME
	.ci/fuzz $(strip $(FUZZTIME))

mutate: ## change the policy engine in one place at a time: its tests have to notice (minutes)
	go -C internal/tools run ./mutate -dir ../../abac -known ../../abac/testdata/mutants.txt -late 'BruteForce|SmallSets' \
		-never SmallScope -args '-rapid.shrinktime=1ms -rapid.nofailfile' $(MUTATE)

build: ## build the four programs into bin/
	go build -trimpath -o bin/ ./cmd/...

postgres: ## install PostgreSQL's programs where this machine may
	@.ci/postgres

clean: ## remove what the other targets made
	rm -rf bin dist
