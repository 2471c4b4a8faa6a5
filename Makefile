# Needs GNU make 3.81 or later (macOS has 3.81) and Python 3.11 or later. Try: make help

# make PYTHON=/path/to/python3.12 chooses the interpreter; otherwise the first one here that is new enough.
PYTHON ?=
CANDIDATES := $(if $(PYTHON),$(PYTHON),python3 python3.14 python3.13 python3.12 python3.11)
PORT ?= 8000
# make fuzz SECONDS=60 TARGETS=certificate,crl
SECONDS ?= 600
TARGETS ?=
# More flags: make test ARGS='-k receipts', make bench ARGS='--gate 2.75' LOCKS='--gate 0.75' CMS='--gate 0.5'
ARGS ?=

BIN := .venv/bin
INSTALL := $(BIN)/python -m pip -qq --disable-pip-version-check install
COMPILE := .venv-lock/bin/uv pip compile --quiet --no-config --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-strip-extras --no-emit-index-url --no-emit-find-links --no-header

.DEFAULT_GOAL := help
.PHONY: soak help venv dev demo test lint format bench conformance fuzz examples lock clean

help: ## 列出命令 · list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

venv: .venv/.runtime ## 安装运行环境 · install what is needed to run

dev: .venv/.dev ## 安装开发环境 · install what is needed to develop

demo: .venv/.runtime ## 启动演示 (PORT=8000) · start the demonstration
	@exec $(BIN)/accord demo --port $(PORT)

# An empty value is none: the workers and the processes that tests start read what was compiled once.
test: export PYTHONDONTWRITEBYTECODE =
test: .venv/.dev ## 运行全部测试 · run every test; warnings are errors, coverage of the core at least 98 %
	@$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term --cov-fail-under=98 $(ARGS)

lint: .venv/.dev ## 检查代码 · check style, types and import rules
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo 'make format' >&2; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: .venv/.dev ## 整理代码格式 · put the code in form
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .

bench: .venv/.dev ## 性能测量 · measure
	@$(BIN)/python -m bench.recognitions $(ARGS)
	@$(BIN)/python -m bench.locks $(LOCKS)
	@$(BIN)/python -m bench.cms $(CMS)
	@$(BIN)/python -m bench.crl
	@$(BIN)/python -m bench.log
	@$(BIN)/python -m bench.status
	@$(BIN)/python -m bench.bulk

soak: .venv/.dev ## 强制终止与磁盘写满 · kill -9 at 200 random instants, and a full disk
	@$(BIN)/python -m bench.soak $(ARGS)

conformance: .venv/.dev ## 第三方符合性数据 · hold against third-party data; writes docs/conformance.md
	@$(BIN)/python -m conformance

fuzz: .venv/.fuzz ## 模糊测试 (SECONDS=600 TARGETS=certificate,crl) · fuzz what reads foreign bytes
	@$(BIN)/python -m fuzz --seconds $(SECONDS) $(if $(TARGETS),--targets $(TARGETS))

examples: .venv/.runtime ## 更新接口文档示例 · write the examples of the API document anew
	@$(BIN)/python -m app.demonstration.documented

lock: .venv-lock/.ready ## 更新依赖锁定文件 · pin the newest dependencies anew
	@$(COMPILE) --group build --group dev --output-file requirements-dev.lock pyproject.toml
	@$(COMPILE) --group build --constraint requirements-dev.lock --output-file requirements.lock pyproject.toml
	@$(COMPILE) --group build --extra pkcs11 --constraint requirements-dev.lock --output-file requirements-pkcs11.lock pyproject.toml
	@$(COMPILE) --group fuzz --constraint requirements-dev.lock --output-file requirements-fuzz.lock pyproject.toml

clean: ## 删除生成的文件 · remove what was generated (not var/)
	@rm -rf .venv .venv-lock build dist *.egg-info htmlcov .coverage .coverage.* coverage.xml \
		.hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .schemathesis
	@find app bench conformance fuzz keys migrations registry tests -type d -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# The stamps: each says that a step was done for the files that it depends on, so that a second run does nothing.

define create_venv
@python=; for candidate in $(CANDIDATES); do \
	if "$$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
	then python=$$candidate; break; fi; \
done; \
if [ -z "$$python" ]; then \
	echo '需要 Python 3.11 或更高版本及其 venv 模块 · Python 3.11 or later with its venv module is needed: make PYTHON=/path/to/python3' >&2; \
	exit 1; \
fi; \
"$$python" -m venv --clear
endef

.venv/.created:
	$(create_venv) .venv
	@touch $@

.venv/.runtime: .venv/.created requirements.lock pyproject.toml
	@echo '安装运行环境 · installing what is needed to run ...'
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: .venv/.runtime requirements-dev.lock
	@echo '安装开发环境 · installing what is needed to develop ...'
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

.venv/.fuzz: .venv/.dev requirements-fuzz.lock
	@echo '安装模糊测试工具 · installing what is needed to fuzz ...'
	@$(INSTALL) --require-hashes -r requirements-fuzz.lock
	@touch $@

.venv-lock/.ready:
	$(create_venv) .venv-lock
	@.venv-lock/bin/python -m pip -qq --disable-pip-version-check install uv
	@touch $@
