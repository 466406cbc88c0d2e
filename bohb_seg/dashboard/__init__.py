"""The live view of a run, in three sentences.

The master takes the port and gives it to a child process, so that nothing a browser does can stall
or end the search; the child ends when the pipe to its master does. It makes the report again when
somebody looks and the journal has changed, in memory and at low priority, and shows the journal's
tail beside it. On loopback whoever is on this machine may look, by no other name than this
machine's; on any other address one needs the secret link that the master logs.
"""

from bohb_seg.dashboard.launcher import TOKEN, Dashboard

__all__ = ["TOKEN", "Dashboard"]
