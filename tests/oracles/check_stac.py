"""Reads a STAC item of the Machine Learning Model extension with pystac and stac-model, and prints what they understood as JSON.

    python tests/oracles/check_stac.py item.json
"""
import json, sys
import pystac
import pystac.validation
from stac_model.schema import MLModelExtension, MLModelProperties

if __name__ == "__main__":
    text = json.load(open(sys.argv[1]))
    item = pystac.Item.from_dict(text)
    properties = MLModelProperties(**{k.removeprefix("mlm:"): v for k, v in text["properties"].items() if k.startswith("mlm:")})
    # Without the schemas of extensions, which lie on the web; STAC's own come with pystac.
    core = {**text, "stac_extensions": []}
    pystac.validation.validate_dict(core)
    print(json.dumps({"id": item.id, "version": pystac.get_stac_version(), "properties": json.loads(properties.model_dump_json(by_alias=True)),
                      "assets": {k: a.roles for k, a in item.assets.items()}}))
