"""Other libraries of attacks, each behind the contract `robench.peer.Peer`."""
