"""Log files and request bodies → events and kept rejections; one module for each format."""
