"""The live view of a run.

The master takes the port and passes it to a child process, so nothing that a browser does can stall
or end the search; the child ends when its pipe to the master closes. While somebody looks and the
journal has changed, the child makes the report again, in memory and at low priority, and shows the
last entries of the journal beside it. On loopback whoever is on this machine may look, and only
under a name of this machine; on any other address one needs the secret link that the master logs.
"""
