// Runs every notebook of docs/notebooks headless with the tslab kernel, in a scratch folder that uses the packed tarballs as a
// user's would, and fails when a cell does. Needs the Python environment of scripts/setup-peers.sh (nbclient).
