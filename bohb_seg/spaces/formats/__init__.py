"""Search spaces from plug-ins and files: ``loading`` finds the reader, each format has its own."""
