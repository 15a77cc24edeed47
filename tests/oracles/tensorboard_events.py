"""What TensorBoard's own reader makes of a folder of event files.

    python tests/oracles/tensorboard_events.py FOLDER
"""

import json
import struct
import sys

from tensorboard.backend.event_processing import event_accumulator
from tensorboard.util import tensor_util


def main() -> None:
    sizes = {event_accumulator.SCALARS: 0, event_accumulator.IMAGES: 0, event_accumulator.TENSORS: 0}
    events = event_accumulator.EventAccumulator(sys.argv[1], size_guidance=sizes)
    events.Reload()
    tags = events.Tags()
    print(json.dumps({
        "scalars": {tag: [[event.step, event.value] for event in events.Scalars(tag)] for tag in tags["scalars"]},
        "images": {tag: [[event.step, event.width, event.height, *png_size(event.encoded_image_string)] for event in events.Images(tag)] for tag in tags["images"]},
        "texts": {tag: [[event.step, tensor_util.make_ndarray(event.tensor_proto)[0].decode()] for event in events.Tensors(tag)] for tag in tags["tensors"]},
        "plugins": {tag: events.SummaryMetadata(tag).plugin_data.plugin_name for tag in tags["tensors"]},
    }))


def png_size(data: bytes) -> list[int]:
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return list(struct.unpack(">II", data[16:24]))


main()
