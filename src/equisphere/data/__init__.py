"""Onto the sphere and back: images, meshes, clouds, molecules and maps; and data sets of signals."""

from equisphere.data._batch import Outcome, default_workers, find_files, load_projected, project_files
from equisphere.data._clouds import Shells, cloud_coefficients, cloud_density, normalize_points, read_points
from equisphere.data._dense import DenseSignals, Readout
from equisphere.data._digits import Digits, load_digits
from equisphere.data._energies import AtomicSignals, Molecules, MoleculeTable, load_molecules
from equisphere.data._image_files import IMAGE_SUFFIXES, read_digit
from equisphere.data._labelled_panoramas import (
    LabelledPanoramas,
    PanoramaSignals,
    load_panoramas,
    panorama_colours,
    write_labels,
)
from equisphere.data._maps import read_healpix, read_netcdf, read_sensors, write_healpix, write_netcdf
from equisphere.data._meshes import Mesh, channel_names, mesh_signal, read_mesh, star_mesh, write_mesh
from equisphere.data._molecules import SYMBOLS, Molecule, molecule_coefficients, read_xyz, write_xyz
from equisphere.data._neighbours import Decaying, neighbour_coefficients
from equisphere.data._panoramas import panorama, panorama_coefficients, read_panorama, read_picture, write_picture
from equisphere.data._parts import PART_SEEDS, Batch, Batches, DataSet, Part, loader
from equisphere.data._project import Projected, Projection, project_file
from equisphere.data._projection import image_coefficients
from equisphere.data._shape_files import SHAPE_SUFFIXES, load_shapes, read_shape
from equisphere.data._shapes import Distortion, LabelledClouds, Shapes, SphericalClouds
from equisphere.data._sky import MaskedSky, SimulatedSkies, fill_sky, load_sky
from equisphere.data._source import DataError, kept
from equisphere.data._sphere_files import read_coefficients, read_pair
from equisphere.data._spherical_images import LabelledImages, SphericalImages
from equisphere.data._splits import stratified_split
from equisphere.data._surfaces import sample_surface
from equisphere.data._views import Equirectangular, Gnomonic, Stereographic, View, perspective, render, view_signal
from equisphere.data._winds import MonthlyWinds, load_winds

__all__ = [
    "IMAGE_SUFFIXES",
    "PART_SEEDS",
    "SHAPE_SUFFIXES",
    "SYMBOLS",
    "AtomicSignals",
    "Batch",
    "Batches",
    "DataError",
    "DataSet",
    "Decaying",
    "DenseSignals",
    "Digits",
    "Distortion",
    "Equirectangular",
    "Gnomonic",
    "LabelledClouds",
    "LabelledImages",
    "LabelledPanoramas",
    "MaskedSky",
    "Mesh",
    "Molecule",
    "MoleculeTable",
    "Molecules",
    "MonthlyWinds",
    "Outcome",
    "PanoramaSignals",
    "Part",
    "Projected",
    "Projection",
    "Readout",
    "Shapes",
    "Shells",
    "SimulatedSkies",
    "SphericalClouds",
    "SphericalImages",
    "Stereographic",
    "View",
    "channel_names",
    "cloud_coefficients",
    "cloud_density",
    "default_workers",
    "fill_sky",
    "find_files",
    "image_coefficients",
    "kept",
    "load_digits",
    "load_molecules",
    "load_panoramas",
    "load_projected",
    "load_shapes",
    "load_sky",
    "load_winds",
    "loader",
    "mesh_signal",
    "molecule_coefficients",
    "neighbour_coefficients",
    "normalize_points",
    "panorama",
    "panorama_coefficients",
    "panorama_colours",
    "perspective",
    "project_file",
    "project_files",
    "read_coefficients",
    "read_digit",
    "read_healpix",
    "read_mesh",
    "read_netcdf",
    "read_pair",
    "read_panorama",
    "read_picture",
    "read_points",
    "read_sensors",
    "read_shape",
    "read_xyz",
    "render",
    "sample_surface",
    "star_mesh",
    "stratified_split",
    "view_signal",
    "write_healpix",
    "write_labels",
    "write_mesh",
    "write_netcdf",
    "write_picture",
    "write_xyz",
]
