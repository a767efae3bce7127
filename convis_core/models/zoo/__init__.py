"""The networks that Convis knows, one file each: what is published of it, its architecture, its checkpoint's names."""
