#!/usr/bin/env python3
"""The image would hold all that the binary loads, from sources that exist. (Building it needs Debian's mirrors.)"""
import platform
import re
import unittest

from support import DEPLOY, ROOT, binary, output_of

TEXT = (DEPLOY / "Containerfile").read_text()
BUILD, RUNTIME = TEXT.split("\nFROM ", 1)
# In every Debian image, or dependencies of any C++ library.
ALWAYS_THERE = {"libc6", "libgcc-s1", "libstdc++6"}


class ContainerfileTest(unittest.TestCase):
    def test_what_is_copied_exists(self):
        for source in re.findall(r"^COPY (\S+) ", BUILD, re.MULTILINE):
            self.assertTrue((ROOT / source).exists(), source)

    def test_each_library_of_the_binary_is_installed(self):
        installed = set(re.findall(r"(?<= )(?:lib[\w.+-]+|zlib1g)", RUNTIME.split("&& rm", maxsplit=1)[0]))
        libraries = re.findall(r"NEEDED.*\[(.+)\]", output_of("readelf", "--dynamic", binary()))
        folder = f"*/{platform.machine()}-linux-gnu"
        owners = output_of("dpkg-query", "--search", *(f"{folder}/{name}" for name in libraries))
        needed = set(re.findall(r"^([^:]+):", owners, re.MULTILINE))
        self.assertIn("libssl3", needed)
        self.assertEqual(needed - ALWAYS_THERE - sanitizers(needed), installed)

    def test_it_does_not_run_as_root(self):
        self.assertRegex(RUNTIME, r"(?m)^USER 65532:65532$")
        self.assertIn("runAsUser: 65532", (DEPLOY / "kubernetes" / "deployment.yaml").read_text())


def sanitizers(packages):
    """Runtimes of sanitizers: only in test builds."""
    return {package for package in packages if re.fullmatch(r"lib(a|t|ub|l)san\d+", package)}


if __name__ == "__main__":
    unittest.main()
