#!/usr/bin/env python3
"""systemd accepts the unit and finds little that the service could do beyond its work."""
import os
import pathlib
import re
import shutil
import tempfile
import unittest

from support import DEPLOY, binary, output_of

UNIT = DEPLOY / "systemd" / "imapmeter.service"
LOOSEST = 1.6  # of 10, in `systemd-analyze security`


class UnitTest(unittest.TestCase):
    def setUp(self):
        directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.unit = directory / UNIT.name
        shutil.copy(binary(), directory / "imapmeter")
        self.unit.write_text(UNIT.read_text().replace("/usr/bin/imapmeter", str(directory / "imapmeter")))
        self.environment = dict(os.environ, SYSTEMD_UNIT_PATH=f"{directory}:")

    def test_systemd_has_nothing_to_say(self):
        self.assertEqual(output_of("systemd-analyze", "verify", "--man=no", self.unit, env=self.environment), "")

    def test_exposure(self):
        said = output_of("systemd-analyze", "security", "--offline=true", self.unit, env=self.environment)
        exposure = float(re.search(r"Overall exposure level for imapmeter.service: ([0-9.]+)", said)[1])
        self.assertLessEqual(exposure, LOOSEST, said)

    def test_the_drain_fits_into_the_time_to_stop(self):
        self.assertGreater(int(re.search(r"TimeoutStopSec=(\d+)", UNIT.read_text())[1]), 30)


if __name__ == "__main__":
    unittest.main()
