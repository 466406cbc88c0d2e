"""From files on disk to patches in memory."""
