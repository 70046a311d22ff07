# Thin names for `python3 -m local COMMAND`; the logic lives in local/.
PYTHON3 ?= python3
LOCAL = @$(PYTHON3) -m local

.DEFAULT_GOAL := help
.PHONY: help setup run up status logs stop clean test snapshot bench models lint fmt package

help: ## list the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

setup: ## install everything, start nothing
	$(LOCAL) setup

run: ## start the platform and run the main job on the sample input
	$(LOCAL) run

up: ## start the platform without the main job
	$(LOCAL) up

status: ## which services run, on which addresses
	$(LOCAL) status

logs: ## list the logs; NAME=scheduler prints the end of those that match
	$(LOCAL) logs $(NAME)

stop: ## stop every service, keep the state
	$(LOCAL) stop

clean: ## stop every service and delete all local state
	$(LOCAL) clean

test: ## run the tests
	$(LOCAL) test

snapshot: ## renew the golden graphs of the DAGs, to be reviewed in the diff
	$(LOCAL) snapshot

bench: ## time the engines against their bare selves
	$(LOCAL) bench

models: ## measure the models on the samples; PARTS="sales venues" some of them
	$(LOCAL) models $(PARTS)

lint: ## check style, types, SQL, templates and the compose file
	$(LOCAL) lint

fmt: ## format, and mend what can be mended
	$(LOCAL) lint --fix

package: ## build dist/ as it is synced to the MWAA bucket
	$(LOCAL) package
