#!/usr/bin/env python3
"""Who may include whom: the #include lines of each folder against the list in ARCHITECTURE.md.

CMake's links cannot say it, because the headers of system packages are visible to every target.
"""

import re
import sys
import tempfile
import pathlib

import sources

# Outside libraries by the start of what is written between the brackets. What is in none of these is the C++ or C
# library or the system's (POSIX, Linux).
LIBRARIES = {
    "boost/asio": "asio",
    "boost/beast": "beast",
    "boost/": "boost",
    "CLI/": "cli11",
    "yaml-cpp/": "yaml",
    "openssl/": "openssl",
    "spdlog/": "spdlog",
    "fmt/": "fmt",
    "prometheus/": "prometheus",
    "nlohmann/": "json",
    "zlib.h": "zlib",
    "systemd/": "systemd",
    "gtest/": "gtest",
    "gmock/": "gtest",
    "benchmark/": "benchmark",
}
# Headers of the C++ library (not of C or the system) are all that proxy/imap and config.h may use.
CXX_HEADER = re.compile(r"[a-z_0-9]+$")

OUR_FOLDERS = ("proxy/", "metrics/", "config/", "tests/")

# The first row whose pattern matches a file is its rule: our own headers by pattern, outside libraries by name, and
# whether the system's headers are allowed.
RULES = [
    (r"proxy/imap/deflate_tap\.", [r"proxy/imap/"], {"zlib"}, False),
    (r"proxy/imap/", [r"proxy/imap/"], set(), False),
    (r"config/config\.h$", [], set(), False),
    (r"config/args\.", [r"config/"], {"cli11"}, True),
    (r"config/(load|print)\.", [r"config/"], {"yaml"}, True),
    (r"config/", [r"config/"], set(), True),
    (r"proxy/main\.cc$", [r"proxy/", r"metrics/", r"config/"], {"asio", "boost", "openssl", "spdlog", "fmt", "systemd"}, True),
    (r"proxy/", [r"proxy/", r"config/config\.h$"], {"asio", "boost", "openssl", "spdlog", "fmt"}, True),
    (r"metrics/", [r"metrics/", r"proxy/imap/(status|event|observer|flight_recorder|capability_set)\.h$", r"proxy/(observer|open_session|session_facts)\.h$", r"config/config\.h$"],
     {"asio", "beast", "boost", "prometheus", "json", "zlib"}, True),
    (r"tests/integration/", [r"tests/integration/"], {"openssl", "boost", "asio"}, True),
    (r"tests/", [r"proxy/", r"metrics/", r"config/", r"tests/"], set(LIBRARIES.values()), True),
]
# Versions of libraries, for build_info: constants, not the library itself.
EXCEPTIONS = {("metrics", "openssl/opensslv.h"), ("metrics", "openssl/crypto.h")}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def library(header):
    for prefix, name in LIBRARIES.items():
        if header.startswith(prefix):
            return name
    return None


def allowed(file, header, quoted):
    """Whether `file` (a path in the project, as text) may include `header`."""
    for pattern, ours, libraries, system in RULES:
        if not re.match(pattern, file):
            continue
        if (file.split("/")[0], header) in EXCEPTIONS:
            return True
        if quoted:
            return any(re.match(own, header) for own in ours)
        outside = library(header)
        return outside in libraries if outside else system or CXX_HEADER.match(header) is not None
    return True


def violations(root, paths):
    """One line for each include that no rule allows."""
    for path in paths:
        text = (root / path).read_text()
        for match in INCLUDE.finditer(text):
            bracket, header = match.groups()
            quoted = bracket == '"'
            line = text.count("\n", 0, match.start(2)) + 1
            if quoted and not header.startswith(OUR_FOLDERS):
                yield f"{path}:{line}: our own headers are included by their path from the top: {header}"
            elif not allowed(str(path), header, quoted):
                yield f"{path}:{line}: may not include {header}"


# Each must be found, so that a rule that has stopped to work does not pass for a clean project.
FORBIDDEN = [
    ("proxy/imap/x.cc", "#include <openssl/ssl.h>"),
    ("proxy/imap/x.cc", "#include <zlib.h>"),
    ("proxy/imap/x.cc", "#include <unistd.h>"),
    ("proxy/imap/x.cc", "#include <sys/socket.h>"),
    ("proxy/imap/x.h", '#include "proxy/observer.h"'),
    ("proxy/x.cc", "#include <prometheus/registry.h>"),
    ("proxy/x.cc", "# include <yaml-cpp/yaml.h>"),
    ("proxy/x.cc", "  #include <boost/beast.hpp>"),
    ("proxy/x.cc", '#include "metrics/metrics.h"'),
    ("proxy/x.cc", '#include "config/load.h"'),
    ("metrics/x.cc", "#include <spdlog/spdlog.h>"),
    ("metrics/x.cc", '#include "proxy/session.h"'),
    ("metrics/x.cc", '#include "proxy/imap/session_tracker.h"'),
    ("metrics/x.cc", "#include <openssl/ssl.h>"),
    ("config/config.h", "#include <yaml-cpp/yaml.h>"),
    ("config/config.h", '#include "config/args.h"'),
    ("config/load.cc", "#include <CLI/CLI.hpp>"),
    ("config/args.cc", "#include <yaml-cpp/yaml.h>"),
    ("config/x.cc", '#include "proxy/observer.h"'),
    ("config/x.cc", '#include "config.h"'),
    ("proxy/main.cc", "#include <prometheus/registry.h>"),
    ("tests/integration/x.cc", '#include "proxy/observer.h"'),
]


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, line in FORBIDDEN:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"#include <vector>\n{line}\n")
            found = list(violations(root, [pathlib.Path(name)]))
            if len(found) != 1 or f"{name}:2:" not in found[0]:
                sys.exit(f"the test itself is broken: {line} in {name} gave {found}")


def main():
    self_test()
    found = list(violations(sources.ROOT, sources.with_suffix(".h", ".cc")))
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
