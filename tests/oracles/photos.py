"""Small photos with positions in their EXIF data, and the same as Pillow reads them back.

    python tests/oracles/photos.py

Writes packages/inference/src/classify-objects/fixtures/photos/*.jpg and positions.json.
"""
import json, pathlib
import numpy as np
from PIL import ExifTags, Image

OUT = pathlib.Path(__file__).resolve().parents[2] / "packages" / "inference" / "src" / "classify-objects" / "fixtures" / "photos"
GPS = ExifTags.GPS
PHOTOS = {  # degrees, minutes, seconds and reference of latitude and longitude; heading
    "a-north-east.jpg": ((52.0, 31.0, 8.04), "N", (13.0, 24.0, 1.08), "E", 243.5),
    "b-south-west.jpg": ((33.0, 27.0, 30.6), "S", (70.0, 38.0, 57.12), "W", None),
    "c-nowhere.jpg": None,
    "d-null-island.jpg": ((0.0, 0.0, 0.0), "N", (0.0, 0.0, 0.0), "E", None),
}


def degrees(dms, ref):
    d, m, s = (float(x) for x in dms)
    return (d + m / 60 + s / 3600) * (-1 if ref in "SW" else 1)


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    told = {}
    for i, (name, place) in enumerate(PHOTOS.items()):
        rows, cols = np.mgrid[:36, :52]
        pixels = np.stack([(rows * 5 + 40 * i) % 256, (cols * 4) % 256, np.full_like(rows, 60 * i)], -1).astype(np.uint8)
        exif = Image.Exif()
        if place is not None:
            lat, north, lon, east, heading = place
            gps = {GPS.GPSLatitudeRef: north, GPS.GPSLatitude: lat, GPS.GPSLongitudeRef: east, GPS.GPSLongitude: lon}
            if heading is not None:
                gps |= {GPS.GPSImgDirectionRef: "T", GPS.GPSImgDirection: heading}
            exif.get_ifd(ExifTags.IFD.GPSInfo).update(gps)
        Image.fromarray(pixels).save(OUT / name, exif=exif, quality=92)
        back = Image.open(OUT / name).getexif().get_ifd(ExifTags.IFD.GPSInfo)
        told[name] = None if GPS.GPSLatitude not in back else {
            "latitude": degrees(back[GPS.GPSLatitude], back[GPS.GPSLatitudeRef]), "longitude": degrees(back[GPS.GPSLongitude], back[GPS.GPSLongitudeRef]),
            "heading": float(back[GPS.GPSImgDirection]) if GPS.GPSImgDirection in back else None}
    (OUT / "positions.json").write_text(json.dumps(told, indent=1) + "\n")
    print(told)
