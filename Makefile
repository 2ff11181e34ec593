# Two commands: `make demo` shows the main job, `make test` runs the tests. Both create what they need in .venv.
# More checks: `make lint`, `make docs`, and of the native code `make sanitize`, `make tsan` and `make qemu`.
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip
INSTALL := $(PIP) install --quiet --constraint constraints.txt
SOURCES := pyproject.toml constraints.txt CMakeLists.txt $(wildcard native/*)

CMAKE := $(VENV)/bin/cmake -S . -G Ninja -DCMAKE_MAKE_PROGRAM=$(CURDIR)/$(VENV)/bin/ninja -DCMAKE_BUILD_TYPE=Release \
	-DHAMMINGWAY_MODULE=OFF -DHAMMINGWAY_CHECK=ON
SANITIZED := build/sanitize
SANITIZED_TESTS := tests/unit/kernels tests/unit/indexes tests/contracts/test_indexes.py \
	tests/unit/collection/test_collection.py tests/unit/collection/test_filters.py tests/unit/test_faiss_style.py

.PHONY: demo test lint docs sanitize tsan qemu clean

demo: $(VENV)/demo.stamp
	$(VENV)/bin/hammingway demo --out demo

test: $(VENV)/test.stamp
	$(VENV)/bin/python -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile

lint: $(VENV)/test.stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

docs: $(VENV)/docs.stamp
	$(VENV)/bin/python -m sphinx -W -b html docs docs/_build/html

# The check of the native code, then the tests that lead into it, with every access to memory and every shift watched.
# Python itself never frees all it has, so only the check looks for leaks.
sanitize: $(SANITIZED)/module.stamp
	$(SANITIZED)/cmake/hammingway-check 100
	LD_PRELOAD="$$(g++ -print-file-name=libasan.so) $$(g++ -print-file-name=libstdc++.so)" ASAN_OPTIONS=detect_leaks=0 \
	UBSAN_OPTIONS=print_stacktrace=1 $(SANITIZED)/venv/bin/python -m pytest -q -p no:cacheprovider $(SANITIZED_TESTS)

# The same check with several threads, every pair of unordered accesses reported.
tsan: $(VENV)/native.stamp
	$(CMAKE) -B build/tsan -DHAMMINGWAY_SANITIZE=thread
	$(VENV)/bin/cmake --build build/tsan
	build/tsan/hammingway-check 40

# The same check on a processor that this machine has not, emulated.
qemu: $(VENV)/native.stamp
	$(CMAKE) -B build/qemu -DHAMMINGWAY_SANITIZE=undefined -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
		-DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++
	$(VENV)/bin/cmake --build build/qemu
	qemu-aarch64-static -L /usr/aarch64-linux-gnu build/qemu/hammingway-check 25

$(VENV)/pip.stamp:
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet 'pip>=25.1'
	touch $@

$(VENV)/demo.stamp: $(VENV)/pip.stamp $(SOURCES)
	$(INSTALL) --editable '.[report]'
	touch $@

$(VENV)/test.stamp: $(VENV)/pip.stamp $(SOURCES)
	$(INSTALL) --editable '.[data,report,onnx,tensorboard]' --group test --group lint
	touch $@

$(VENV)/docs.stamp: $(VENV)/test.stamp
	$(INSTALL) --group docs
	touch $@

$(VENV)/native.stamp: $(VENV)/pip.stamp pyproject.toml constraints.txt
	$(INSTALL) --group native
	touch $@

# An environment of its own, with the packages of .venv and another native module.
$(SANITIZED)/module.stamp: $(VENV)/test.stamp $(VENV)/native.stamp $(wildcard tests/native/*)
	$(VENV)/bin/python -m venv --without-pip $(SANITIZED)/venv
	$(VENV)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > \
		$$($(SANITIZED)/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/packages.pth
	$(PIP) --python $(SANITIZED)/venv/bin/python install --quiet --constraint constraints.txt --no-deps --editable . \
		--config-settings=build-dir=$(SANITIZED)/cmake --config-settings=cmake.define.HAMMINGWAY_CHECK=ON \
		--config-settings=cmake.define.HAMMINGWAY_SANITIZE=address,undefined
	touch $@

clean:
	rm -rf $(VENV) build demo docs/_build
