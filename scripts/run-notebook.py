"""Runs a notebook with the tslab kernel. Usage: run-notebook.py NOTEBOOK OUT TSLAB_BIN (run in the folder that has the packages)."""
import json, os, pathlib, shutil, sys, tempfile
import nbclient, nbformat

notebook, out, tslab = sys.argv[1:4]
kernels = tempfile.mkdtemp()
spec = pathlib.Path(kernels, "kernels", "tslab")
spec.mkdir(parents=True)
argv = [shutil.which("node"), os.path.abspath(tslab), "kernel", "--config-path={connection_file}"]
(spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "TypeScript", "language": "typescript"}))
os.environ["JUPYTER_PATH"] = kernels
nb = nbformat.read(notebook, as_version=4)
try:
    nbclient.NotebookClient(nb, kernel_name="tslab", timeout=900).execute()
finally:
    shutil.rmtree(kernels)
for cell in nb.cells:
    for output in cell.get("outputs", []):
        if output.output_type == "error" or output.get("name") == "stderr":
            sys.exit(f"a cell failed:\n{cell.source}\n{output.get('text', output.get('evalue'))}")
nbformat.write(nb, out)
print(f"{notebook}: {sum(c.cell_type == 'code' for c in nb.cells)} cells ran")
