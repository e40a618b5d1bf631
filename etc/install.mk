# `make install` and `make uninstall`: what goes where. The Makefile includes this.
#
# DESTDIR is put before every path, PREFIX is /usr/local unless given. The configuration is always /etc/mygrpcadapter.cfg,
# where the program looks for it; it differs from etc/mygrpcadapter.cfg in output.root, and one that is there is kept.

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
CONFIGURATION := /etc/mygrpcadapter.cfg

INSTALLED_PROGRAM := $(DESTDIR)$(BINDIR)/mygrpcadapter
INSTALLED_UNITS := $(DESTDIR)$(UNITDIR)/mygrpcadapter.service $(DESTDIR)$(UNITDIR)/mygrpcadapter.socket
INSTALLED_SYSUSERS := $(DESTDIR)$(SYSUSERSDIR)/mygrpcadapter.conf
INSTALLED_TMPFILES := $(DESTDIR)$(TMPFILESDIR)/mygrpcadapter.conf
INSTALLED_PAGES := $(DESTDIR)$(MANDIR)/man8/mygrpcadapter.8 $(DESTDIR)$(MANDIR)/man5/mygrpcadapter.cfg.5
INSTALLED_CONFIGURATION := $(DESTDIR)$(CONFIGURATION)

# In the form in which they are installed.
UNITS := $(BUILD)/etc/mygrpcadapter.service $(BUILD)/etc/mygrpcadapter.socket
VM_CONFIGURATION := $(BUILD)/etc/mygrpcadapter.cfg

.PHONY: install uninstall FORCE
install: all $(UNITS) $(VM_CONFIGURATION)
	install -D -m 755 $(PROGRAM) $(INSTALLED_PROGRAM)
	install -D -m 644 -t $(DESTDIR)$(MANDIR)/man8 docs/man/mygrpcadapter.8
	install -D -m 644 -t $(DESTDIR)$(MANDIR)/man5 $(SETTINGS_PAGE)
	install -D -m 644 -t $(DESTDIR)$(UNITDIR) $(UNITS)
	install -D -m 644 etc/sysusers.conf $(INSTALLED_SYSUSERS)
	install -D -m 644 etc/tmpfiles.conf $(INSTALLED_TMPFILES)
	[ -e $(INSTALLED_CONFIGURATION) ] || install -D -m 644 $(VM_CONFIGURATION) $(INSTALLED_CONFIGURATION)

# Leaves output files, the user, and a configuration that was changed.
uninstall: $(VM_CONFIGURATION)
	rm -f $(INSTALLED_PROGRAM) $(INSTALLED_PAGES) $(INSTALLED_UNITS) $(INSTALLED_SYSUSERS) $(INSTALLED_TMPFILES)
	@if cmp -s $(VM_CONFIGURATION) $(INSTALLED_CONFIGURATION); then rm -f $(INSTALLED_CONFIGURATION); \
	elif [ -e $(INSTALLED_CONFIGURATION) ]; then echo "kept, since it was changed: $(INSTALLED_CONFIGURATION)"; fi

# Where the program is depends on what is given on the command line.
$(UNITS): $(BUILD)/etc/%: etc/% FORCE
	@mkdir -p $(@D)
	@sed 's,/usr/bin/mygrpcadapter,$(BINDIR)/mygrpcadapter,' $< >$@

$(VM_CONFIGURATION): etc/mygrpcadapter.cfg
	@mkdir -p $(@D)
	@sed 's,root = "/volume";,root = "/var/lib/mygrpcadapter";,' $< >$@
