# mygrpcadapter: `make` builds build/mygrpcadapter; `make help` lists the rest.
#
# SAN=address,undefined (or thread) builds and tests a sanitizer variant in a directory of its own, CRASH=1 one that the
# crash tests can have die at named places; WERROR=1 makes warnings errors, as .ci/run does.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

comma := ,
SAN ?=
CRASH ?=
BUILD := build$(if $(SAN),-$(subst $(comma),-,$(SAN)))$(if $(CRASH),-crash)
PROGRAM := $(BUILD)/mygrpcadapter
PYTHON := /usr/bin/python3
GO := $(or $(shell command -v go),/usr/local/go/bin/go)

# ---- what it needs, all from Debian 12

PACKAGES_BUILD := gcc g++ make pkg-config libc6-dev libgrpc-dev libprotobuf-c-dev protobuf-c-compiler protobuf-compiler \
	libprotobuf-dev libconfig-dev libsystemd-dev libmicrohttpd-dev libxxhash-dev
PACKAGES_TEST := libcmocka-dev python3 python3-pytest python3-grpcio python3-protobuf procps strace mandoc groff-base
PACKAGES_DEB := debhelper dpkg-dev
PACKAGES_IMAGE := buildah debootstrap iproute2
PACKAGES_CI := clang-14 clang-format-14 clang-tidy-14 cppcheck libasan8 libubsan1 libclang-rt-14-dev prometheus
PACKAGES_MODEL := spin
PACKAGES_BENCH := nghttp2-client gnuplot-nox util-linux valgrind
LIBRARIES := grpc gpr libprotobuf-c libconfig libsystemd libmicrohttpd libxxhash

# ---- sources

FOLDERS := base common segment collector worker admin master commands
SOURCES := $(sort $(shell find $(FOLDERS) -name '*.c'))
CXX_SOURCES := $(sort $(shell find $(FOLDERS) -name '*.cc'))
HEADERS := $(sort $(shell find $(FOLDERS) -name '*.h'))
PROTOS := metric value report extensions config health reflection_v1
GOOGLE_PROTOS := any duration timestamp descriptor
PROTO_C := $(PROTOS:%=$(BUILD)/proto/%.pb-c.c) $(GOOGLE_PROTOS:%=$(BUILD)/proto/google/protobuf/%.pb-c.c)
PROTO_H := $(PROTO_C:.c=.h)
REFLECTED_PROTOS := metric config health reflection_v1 reflection_v1alpha

OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o) $(CXX_SOURCES:%.cc=$(BUILD)/%.o)
PROTO_OBJECTS := $(PROTO_C:.c=.o) $(BUILD)/proto/descriptors.o
MAIN_OBJECT := $(BUILD)/master/main.o
ARCHIVE := $(BUILD)/libmygrpcadapter.a
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(sort $(shell find tests/unit -name '*_test.c' 2>/dev/null)))

# ---- flags

VERSION := 0.1.0
WARNINGS_COMMON := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wformat=2 -Wwrite-strings \
	-Wcast-qual -Wcast-align -Wpointer-arith -Wundef -Wvla -Wswitch-enum -Wnull-dereference -Wduplicated-cond \
	-Wlogical-op $(if $(WERROR),-Werror)
WARNINGS := $(WARNINGS_COMMON) -Wstrict-prototypes -Wmissing-prototypes -Wredundant-decls
HARDENING := -fstack-protector-strong -fPIE $(if $(SAN),,-D_FORTIFY_SOURCE=2)
SANITIZE := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
CPPFLAGS += -D_GNU_SOURCE -DMYGRPCADAPTER_VERSION='"$(VERSION)"' $(if $(CRASH),-DMYGRPCADAPTER_CRASH_POINTS) -I. \
	-isystem $(BUILD)/proto
CFLAGS += -std=c17 -O2 -g $(WARNINGS) $(HARDENING) $(SANITIZE)
CXXFLAGS += -std=c++17 -O2 -g $(WARNINGS_COMMON) $(HARDENING) $(SANITIZE) -fno-exceptions -fno-rtti
LDFLAGS += -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SANITIZE)
# The program is optimised as a whole: the way of a call leads through eight files. So is the one whose instructions are counted.
# Whatever else is linked of the objects takes their ordinary code, which is sooner done and has every call that a suite wraps.
# Only with gcc, whose objects can be both; `make WHOLE=` does without.
WHOLE := $(if $(SAN)$(CRASH)$(findstring clang,$(CC)),,-flto=auto)
WHOLE_OBJECTS := $(if $(WHOLE),-flto -ffat-lto-objects)
PARTS := $(if $(WHOLE),-fno-lto)
LDLIBS = -lgrpc -lgpr -lprotobuf-c -lconfig -lsystemd -lmicrohttpd -lxxhash -lstdc++ -lm -lpthread

# ---- building

SETTINGS_PAGE := $(BUILD)/man/mygrpcadapter.cfg.5

# The event engine of gRPC is a C++ class (worker/grpc/connection_age.cc).
PACKAGES_BUILD += libabsl-dev

.PHONY: all
all: $(PROGRAM) $(SETTINGS_PAGE)

$(PROGRAM): $(MAIN_OBJECT) $(ARCHIVE)
	$(CC) $(LDFLAGS) -O2 $(WHOLE) -o $@ $^ $(LDLIBS)

$(ARCHIVE): $(filter-out $(MAIN_OBJECT),$(OBJECTS)) $(PROTO_OBJECTS)
	rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/%.o: %.c | $(PROTO_H)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(WHOLE_OBJECTS) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.cc
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) $(CXXFLAGS) $(WHOLE_OBJECTS) -MMD -MP -c -o $@ $<

# What the protobuf compiler wrote is not ours to warn about.
$(PROTO_OBJECTS): %.o: %.c $(PROTO_H)
	$(CC) $(CPPFLAGS) -std=c17 -O2 -g -w $(HARDENING) $(SANITIZE) -c -o $@ $<

$(BUILD)/proto/%.pb-c.c $(BUILD)/proto/%.pb-c.h: proto/%.proto
	@mkdir -p $(@D)
	protoc-c -Iproto -I/usr/include --c_out=$(BUILD)/proto $<

$(BUILD)/proto/google/protobuf/%.pb-c.c $(BUILD)/proto/google/protobuf/%.pb-c.h: /usr/include/google/protobuf/%.proto
	@mkdir -p $(BUILD)/proto
	protoc-c -I/usr/include --c_out=$(BUILD)/proto $<

# Settings are described once, in etc/mygrpcadapter.cfg.
$(SETTINGS_PAGE): docs/man/settings.awk etc/mygrpcadapter.cfg docs/man/mygrpcadapter.cfg.5.in
	@mkdir -p $(@D)
	awk -f $^ >$@

# What proto/ defines, for server reflection (worker/services/descriptors.h).
$(BUILD)/proto/descriptors.bin: $(wildcard proto/*.proto)
	@mkdir -p $(@D)
	protoc -Iproto -I/usr/include --include_imports --descriptor_set_out=$@ $(REFLECTED_PROTOS:%=proto/%.proto)

$(BUILD)/proto/descriptors.c: $(BUILD)/proto/descriptors.bin
	{ echo '#include "worker/services/descriptors.h"'; echo 'const unsigned char descriptors_set[] = {'; \
	od -An -v -tu1 $< | sed -E 's/ +([0-9]+)/\1,/g'; \
	echo '};'; echo 'const size_t descriptors_set_size = sizeof(descriptors_set);'; } > $@

$(BUILD)/tests/%: tests/unit/%.c $(ARCHIVE)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -MF $@.d $(LDFLAGS) $(PARTS) -o $@ $< $(ARCHIVE) -lcmocka $(LDLIBS)

-include $(OBJECTS:.o=.d) $(UNIT_TESTS:%=%.d)

# ---- what a person types

.PHONY: help
help:
	@echo "make              builds $(PROGRAM)"
	@echo "make demo         installs what is missing, builds, and shows one call from end to end"
	@echo "make check        installs what is missing, builds, and runs all tests"
	@echo "make check-crash  the long form of the crash tests: half an hour of kills, failing calls and power cuts"
	@echo "make check-model  explores a model of the merge protocol, state by state (spin; under a minute)"
	@echo "make check-mixer  builds a real Mixer and has it report to the adapter (as root; needs Go)"
	@echo "make run          serves in the foreground on port 8000, with build/volume as the volume"
	@echo "make install      puts program, man pages, units and configuration in place (DESTDIR=, PREFIX=/usr/local)"
	@echo "make uninstall    removes them; a configuration that was changed stays"
	@echo "make deb          builds the Debian package in build-deb/"
	@echo "make check-deb    installs, boots, upgrades, removes and purges it in a Debian of its own (as root)"
	@echo "make check-image  builds docker/Dockerfile without a Docker engine and runs the image (as root)"
	@echo "make deps         installs what building and testing need (as root; else says what is missing)"
	@echo "make bench-recovery  measures how fast a start merges what was left behind, beside cat of the same bytes"
	@echo "make fuzz         fuzzes segments, ledgers and requests, FUZZ_SECONDS=600 each (clang-14, libclang-rt-14-dev)"
	@echo "make bench        measures it beside a server that does nothing and a Go adapter, 6 minutes and 8 GiB of disk (BENCH=full: an hour)"
	@echo "make manifests    writes the descriptors of proto/ into manifests/"
	@echo "make format       lays the code out"
	@echo "make clean        removes what was built"

.PHONY: deps
deps:
	@PACKAGES="$(PACKAGES_BUILD) $(PACKAGES_TEST)" tests/tools/install-packages

.PHONY: deps-build
deps-build:
	@PACKAGES="$(PACKAGES_BUILD)" tests/tools/install-packages

.PHONY: deps-ci
deps-ci:
	@PACKAGES="$(PACKAGES_CI) $(PACKAGES_IMAGE) $(PACKAGES_DEB) lintian" tests/tools/install-packages

.PHONY: demo
demo: deps
	@echo "building $(PROGRAM)"
	@$(MAKE) --no-print-directory -s all
	@tests/tools/demo $(PROGRAM)

.PHONY: run
run: all
	@mkdir -p $(BUILD)/volume
	$(PROGRAM) --config etc/mygrpcadapter.cfg --set output.root=$(CURDIR)/$(BUILD)/volume

# ---- what Mixer must know of proto/, inside the manifests

MANIFESTS := manifests
PACKAGES_TEST += python3-yaml

# $(call write_descriptor,PROTO,FILE,FIELD)
define write_descriptor
	@protoc -Iproto -I/usr/include --include_imports --descriptor_set_out=$(BUILD)/$(1).ds proto/$(1).proto
	@sed -i "s|^  $(3): .*|  $(3): \"$$(base64 -w0 $(BUILD)/$(1).ds)\"|" $(2)
endef

.PHONY: manifests
manifests:
	@mkdir -p $(BUILD)
	$(call write_descriptor,metric,$(MANIFESTS)/metrictemplate.yaml,descriptor)
	$(call write_descriptor,config,$(MANIFESTS)/mygrpcadapter.yaml,config)

include etc/install.mk

# In a copy of the sources, since dpkg-buildpackage leaves much beside them.
.PHONY: deb
deb:
	@PACKAGES="$(PACKAGES_BUILD) $(PACKAGES_DEB)" tests/tools/install-packages
	@rm -rf build-deb
	@mkdir -p build-deb/mygrpcadapter
	@cp -a Makefile LICENSE README.md $(FOLDERS) proto etc docs debian build-deb/mygrpcadapter
	@cd build-deb/mygrpcadapter && dpkg-buildpackage --build=binary --no-sign --jobs=auto >../log 2>&1 || { tail -n 40 ../log; exit 1; }
	@ls build-deb/mygrpcadapter_*.deb

# ---- checks

.PHONY: check check-unit check-system check-structure check-crash-points unit-programs
check: deps
	@$(MAKE) --no-print-directory check-structure check-unit check-crash-short check-crash-points \
		check-system

# The benchmark's as well: they stand on the same headers.
unit-programs: $(UNIT_TESTS) $(BUILD)/bench/make-segments $(BUILD)/bench/instructions $(BUILD)/bench/nothing

check-unit: $(UNIT_TESTS)
	@tests/tools/run-unit $(UNIT_TESTS)

# systemd: tests/system/supervision/test_service_manager.py
PACKAGES_TEST += systemd
check-system: all
	MYGRPCADAPTER=$(PROGRAM) $(PYTHON) -m pytest -q -p no:cacheprovider tests/system

# A program that the tests can have die at named places (base/crash_point.h).
check-crash-points:
	@$(MAKE) --no-print-directory -s CRASH=1 all
	MYGRPCADAPTER=build-crash/mygrpcadapter $(PYTHON) -m pytest -q -p no:cacheprovider tests/system/volume/test_crash_points.py

check-structure:
	@tests/tools/check-structure --prove
	@tests/tools/check-structure

.PHONY: check-image
check-image:
	@PACKAGES="$(PACKAGES_IMAGE)" tests/tools/install-packages
	@tests/deploy/check-image

.PHONY: check-deb
check-deb: deb
	@PACKAGES="debootstrap lintian" tests/tools/install-packages
	@tests/deploy/check-deb

# Kubernetes' own types have the last word on every field; needs Go and its module registry.
.PHONY: check-manifests
check-manifests:
	@cd tests/manifests && $(GO) vet . && $(GO) run . $(CURDIR)/manifests $(CURDIR)/manifests/scale

# A real Mixer in front of the adapter (docs/mixer-tests.md); needs root, and Go with its module registry unless MIXS and MIXC,
# Mixer's server and client, are given. MIXER_VERSION is one of tests/mixer/istio-*.
.PHONY: check-mixer
MIXER_VERSION ?= 1.5.10
MIXER_FOLDER := build/mixer/$(MIXER_VERSION)
check-mixer: all
	@$(if $(and $(MIXS),$(MIXC)),,GO=$(GO) tests/mixer/build $(MIXER_VERSION) $(MIXER_FOLDER))
	@MIXS=$(abspath $(or $(MIXS),$(MIXER_FOLDER)/mixs)) MIXC=$(abspath $(or $(MIXC),$(MIXER_FOLDER)/mixc)) \
		MYGRPCADAPTER=$(PROGRAM) tests/mixer/run

.PHONY: format check-format
FORMATTED := $(SOURCES) $(CXX_SOURCES) $(HEADERS) $(sort $(shell find tests/unit tests/fuzz tests/crash tests/bench -name '*.[ch]' 2>/dev/null))
format:
	clang-format-14 -i $(FORMATTED)

check-format:
	clang-format-14 --dry-run --Werror $(FORMATTED)

# Each header compiles alone.
.PHONY: check-headers
check-headers: $(HEADERS:%=$(BUILD)/headers/%.ok)
$(BUILD)/headers/%.ok: % | $(PROTO_H)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -Werror -x c -fsyntax-only $<
	@touch $@

# One file to a run: several at once make clang-tidy 14 see ghosts.
.PHONY: check-tidy
check-tidy: $(SOURCES:%=$(BUILD)/tidy/%.ok)
$(BUILD)/tidy/%.ok: % .clang-tidy $(HEADERS) | $(PROTO_H)
	@mkdir -p $(@D)
	clang-tidy-14 --quiet $< -- -std=c17 $(CPPFLAGS)
	@touch $@

.PHONY: check-cppcheck
check-cppcheck:
	cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --inconclusive --std=c11 \
		--inline-suppr --suppress=missingIncludeSystem -D_GNU_SOURCE -I. $(FOLDERS)

# ---- the crash suite: journals and a collector in one process, with every call to a file wrapped (tests/crash/calls.h)

CRASH_WRAPPED := openat open readlink readlinkat syscall mkdir mkdirat renameat renameat2 unlinkat pwrite writev ftruncate \
	fallocate fsync fdatasync mmap flock fstat fstatat fstatvfs faccessat pread fdopendir readdir getrandom fcntl \
	clock_gettime malloc calloc realloc
CRASH_SUITE := $(BUILD)/tests/crash-suite
CRASH_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/crash/*.c))
CRASH_TESTED := $(filter-out %/collector.o %/stream_destination.o %/sync_threads.o,$(filter $(BUILD)/segment/% $(BUILD)/collector/%,$(OBJECTS))) \
	$(addprefix $(BUILD)/,base/array.o base/descriptors.o base/directory.o base/disk.o base/event.o base/file_room.o base/free_room.o base/rename.o \
	common/beneath.o common/lock_file.o common/output_path.o master/volume.o master/volume_probe.o worker/call_refusal.o \
	worker/journal.o worker/segment_maker.o worker/volume_reserve.o worker/volume_watch.o)
# In memory: what reaches the disk is the suite's to say, and it is faster.
CRASH_RUN = TMPDIR=$$([ -w /dev/shm ] && echo /dev/shm || echo /tmp) $(CRASH_SUITE) $(if $(SEED),--seed $(SEED))

$(CRASH_SUITE): $(CRASH_OBJECTS) $(ARCHIVE)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(PARTS) $(CRASH_WRAPPED:%=-Wl,--wrap=%) -o $@ $^ $(LDLIBS)

-include $(CRASH_OBJECTS:.o=.d)

# Kills at every call; failures at some; power cuts. SEED=N has a run again.
.PHONY: check-crash-short check-crash
check-crash-short: $(CRASH_SUITE)
	@tests/crash/check-wrapped "$(CRASH_WRAPPED)" $(ARCHIVE) $(CRASH_TESTED)
	@$(CRASH_RUN) --stride 4 kills
	@$(CRASH_RUN) --stride 6 strangers
	@$(CRASH_RUN) --bare --stride 9 kills
	@$(CRASH_RUN) --stride 37 faults
	@$(CRASH_RUN) --stride 79 aside
	@$(CRASH_RUN) --rounds 200 power
	@$(CRASH_RUN) --rounds 25 aside-power
	@$(CRASH_RUN) --stride 53 full names listings bars clocks
	@$(CRASH_RUN) --rounds 30 durabilities

# The long form, half an hour: every call fails in every way, many power cuts, and a storm of some minutes.
STORM_SECONDS ?= 180
check-crash: $(CRASH_SUITE) check-crash-points
	@tests/crash/check-wrapped "$(CRASH_WRAPPED)" $(ARCHIVE) $(CRASH_TESTED)
	@$(CRASH_RUN) kills strangers faults aside
	@$(CRASH_RUN) full names listings bars clocks
	@$(CRASH_RUN) --bare kills faults names
	@$(CRASH_RUN) --rounds 30000 power
	@$(CRASH_RUN) --rounds 5000 aside-power
	@$(CRASH_RUN) --rounds 5000 durabilities
	MYGRPCADAPTER=$(PROGRAM) MYGRPCADAPTER_STORM_SECONDS=$(STORM_SECONDS) $(if $(SEED),MYGRPCADAPTER_STORM_SEED=$(SEED)) \
		$(PYTHON) -m pytest -q -s -p no:cacheprovider tests/system/volume/test_storm.py

# ---- the protocol of segments, ledgers and outputs, explored state by state (tests/model/README.md)

.PHONY: check-model
check-model:
	@PACKAGES="$(PACKAGES_MODEL) gcc libc6-dev python3" tests/tools/install-packages
	@tests/model/run

# ---- fuzzing: the rules above under clang-14, in a directory of its own (tests/fuzz/fuzz.h)

FUZZ_BUILD := build-fuzz
FUZZ_TARGETS := segment ledger request
FUZZ_OBJECTS := $(addprefix $(BUILD)/,$(patsubst %.c,%.o,$(wildcard base/*.c segment/*.c) \
	collector/output/ledger.c worker/call_refusal.c $(wildcard worker/decode/*.c worker/render/*.c))) $(BUILD)/worker/render/go_double.o
FUZZ_WRAPPED := -Wl,--wrap=mmap,--wrap=munmap,--wrap=getrandom,--wrap=clock_gettime
FUZZ_MAKE := CPPFLAGS="-D__SANITIZE_ADDRESS__ -Wno-unknown-warning-option" $(MAKE) --no-print-directory \
	-s BUILD=$(FUZZ_BUILD) SAN=fuzzer-no-link,address,undefined CC=clang-14 CXX=clang++-14

# What a target consists of beside its own file and fuzz.c.
$(BUILD)/fuzz/segment: $(BUILD)/tests/fuzz/segment_layout.o
$(BUILD)/fuzz/request: $(BUILD)/tests/fuzz/request_mutator.o $(BUILD)/tests/fuzz/request_tree.o

$(FUZZ_TARGETS:%=$(BUILD)/fuzz/%): $(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%_fuzz.o $(BUILD)/tests/fuzz/fuzz.o \
		$(FUZZ_OBJECTS) $(PROTO_OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -fsanitize=fuzzer $(FUZZ_WRAPPED) -o $@ $^ -lprotobuf-c -lxxhash -lstdc++ -lm

-include $(patsubst %.c,$(BUILD)/%.d,$(wildcard tests/fuzz/*.c))

.PHONY: fuzz-programs fuzz check-fuzz
fuzz-programs: $(FUZZ_TARGETS:%=$(BUILD)/fuzz/%)

# FUZZ_SECONDS=600 or FUZZ_RUNS=1000000 for each target; FUZZ_TARGETS=segment for one.
fuzz:
	@$(FUZZ_MAKE) fuzz-programs
	@tests/fuzz/run $(FUZZ_BUILD) long $(FUZZ_TARGETS)

check-fuzz:
	@$(FUZZ_MAKE) fuzz-programs
	@tests/fuzz/run $(FUZZ_BUILD) check $(FUZZ_TARGETS)

# ---- the benchmark (tests/bench/run): the adapter beside a server that does nothing and, with Go at hand, a Go adapter

BENCH_NOTHING := $(BUILD)/bench/nothing
BENCH_GO := $(BUILD)/bench/walkthrough
BENCH_DIR ?= docs/bench

$(BENCH_NOTHING): tests/bench/nothing.c $(ARCHIVE)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -MF $@.d $(LDFLAGS) $(PARTS) -o $@ $< $(ARCHIVE) $(LDLIBS)

-include $(BENCH_NOTHING).d

.PHONY: bench bench-programs bench-go check-bench
bench-programs: $(PROGRAM) $(BENCH_NOTHING)

bench-go:
	@if command -v go >/dev/null; then tests/bench/go/build $(BENCH_GO) $(BUILD)/bench/go || rm -f $(BENCH_GO); fi

# BENCH=full takes long. Writes $(BENCH_DIR)/README.md and what belongs to it; BENCH_ONLY="latency memory" measures just these.
bench: deps
	@PACKAGES="$(PACKAGES_BENCH)" tests/tools/install-packages
	@$(MAKE) --no-print-directory -s bench-programs bench-go
	@tests/bench/run $(PROGRAM) $(BENCH_NOTHING) $(BENCH_GO) $(BENCH_DIR) $(BENCH_ONLY)

# The numbers mean nothing: it tries whether the benchmark still works. Every text is compared with the golden one.
check-bench:
	@PACKAGES="$(PACKAGES_BENCH)" tests/tools/install-packages
	@$(MAKE) --no-print-directory -s bench-programs bench-go
	@BENCH=smoke tests/bench/run $(PROGRAM) $(BENCH_NOTHING) $(BENCH_GO) $(BUILD)/bench/smoke >$(BUILD)/bench/smoke.log 2>&1 \
		|| { cat $(BUILD)/bench/smoke.log; exit 1; }
	@echo "bench: ok"

# How fast a start merges what an adapter left behind, beside cat of the same bytes; RECOVERY_MIB=4096 for more.
RECOVERY_MIB ?= 1024
$(BUILD)/bench/make-segments: tests/bench/make_segments.c $(ARCHIVE)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -MF $@.d $(LDFLAGS) $(PARTS) -o $@ $< $(ARCHIVE) $(LDLIBS)

-include $(BUILD)/bench/make-segments.d

.PHONY: bench-recovery
bench-recovery: all $(BUILD)/bench/make-segments
	MYGRPCADAPTER=$(PROGRAM) tests/bench/recovery --mib $(RECOVERY_MIB)

# Instructions of a call, a record and a pass, by callgrind, against tests/bench/instructions.tsv: no clock is in it.
BENCH_INSTRUCTIONS := $(BUILD)/bench/instructions
BENCH_COUNT = tests/bench/count-instructions $(BENCH_INSTRUCTIONS) $(BUILD)/bench/callgrind

$(BENCH_INSTRUCTIONS): tests/bench/instructions.c $(ARCHIVE)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -MF $@.d $(LDFLAGS) $(WHOLE) -Wl,--wrap=syscall -o $@ $< $(ARCHIVE) $(LDLIBS)

-include $(BENCH_INSTRUCTIONS).d

.PHONY: check-bench-instructions bench-instructions-update
check-bench-instructions: $(BENCH_INSTRUCTIONS)
	@PACKAGES="$(PACKAGES_BENCH)" tests/tools/install-packages
	@$(BENCH_COUNT)

bench-instructions-update: $(BENCH_INSTRUCTIONS)
	@PACKAGES="$(PACKAGES_BENCH)" tests/tools/install-packages
	@$(BENCH_COUNT) --update

.PHONY: clean
clean:
	rm -rf build build-*
