//! The functions of GDAL's that are called, by the `gdal` crate or by this one, with the types of its bindings.

#![allow(non_snake_case, clippy::too_many_arguments)]

use std::ffi::{c_char, c_int, c_uint, c_void};

use gdal_sys::*;

use super::{GDAL, late};

late! {
    GDAL;
    #[unsafe(no_mangle)]
    fn CPLCalloc(arg1: usize, arg2: usize) -> *mut c_void;
    #[unsafe(no_mangle)]
    fn CPLErrorReset();
    #[unsafe(no_mangle)]
    fn CPLGetLastErrorMsg() -> *const c_char;
    #[unsafe(no_mangle)]
    fn CPLGetLastErrorNo() -> CPLErrorNum;
    #[unsafe(no_mangle)]
    fn CPLSetConfigOption(arg1: *const c_char, arg2: *const c_char);
    #[unsafe(no_mangle)]
    fn CPLSetErrorHandlerEx(arg1: CPLErrorHandler, arg2: *mut c_void) -> CPLErrorHandler;
    #[unsafe(no_mangle)]
    fn CSLAddNameValue(str_list: *mut *mut c_char, name: *const c_char, value: *const c_char) -> *mut *mut c_char;
    #[unsafe(no_mangle)]
    fn CSLAddString(str_list: *mut *mut c_char, new_string: *const c_char) -> *mut *mut c_char;
    #[unsafe(no_mangle)]
    fn CSLDestroy(str_list: *mut *mut c_char);
    #[unsafe(no_mangle)]
    fn GDALAllRegister();
    #[unsafe(no_mangle)]
    fn GDALClose(arg1: GDALDatasetH);
    #[unsafe(no_mangle)]
    fn GDALCreate(h_driver: GDALDriverH, arg1: *const c_char, arg2: c_int, arg3: c_int, arg4: c_int, arg5: GDALDataType::Type, arg6: CSLConstList) -> GDALDatasetH;
    #[unsafe(no_mangle)]
    fn GDALCreateCopy(arg1: GDALDriverH, arg2: *const c_char, arg3: GDALDatasetH, arg4: c_int, arg5: CSLConstList, arg6: GDALProgressFunc, arg7: *mut c_void) -> GDALDatasetH;
    #[unsafe(no_mangle)]
    fn GDALDeleteRasterNoDataValue(arg1: GDALRasterBandH) -> CPLErr::Type;
    #[unsafe(no_mangle)]
    fn GDALFlushCache(h_ds: GDALDatasetH);
    #[unsafe(no_mangle)]
    fn GDALGetBlockSize(arg1: GDALRasterBandH, x_size: *mut c_int, y_size: *mut c_int);
    #[unsafe(no_mangle)]
    fn GDALGetDataTypeName(arg1: GDALDataType::Type) -> *const c_char;
    #[unsafe(no_mangle)]
    fn GDALGetDatasetDriver(arg1: GDALDatasetH) -> GDALDriverH;
    #[unsafe(no_mangle)]
    fn GDALGetDescription(arg1: GDALMajorObjectH) -> *const c_char;
    #[unsafe(no_mangle)]
    fn GDALGetDriverByName(arg1: *const c_char) -> GDALDriverH;
    #[unsafe(no_mangle)]
    fn GDALGetDriverShortName(arg1: GDALDriverH) -> *const c_char;
    #[unsafe(no_mangle)]
    fn GDALGetGeoTransform(arg1: GDALDatasetH, arg2: *mut f64) -> CPLErr::Type;
    #[unsafe(no_mangle)]
    fn GDALGetMaskBand(h_band: GDALRasterBandH) -> GDALRasterBandH;
    #[unsafe(no_mangle)]
    fn GDALGetMaskFlags(h_band: GDALRasterBandH) -> c_int;
    #[unsafe(no_mangle)]
    fn GDALGetMetadataItem(arg1: GDALMajorObjectH, arg2: *const c_char, arg3: *const c_char) -> *const c_char;
    #[unsafe(no_mangle)]
    fn GDALGetOverview(arg1: GDALRasterBandH, arg2: c_int) -> GDALRasterBandH;
    #[unsafe(no_mangle)]
    fn GDALGetRasterBand(arg1: GDALDatasetH, arg2: c_int) -> GDALRasterBandH;
    #[unsafe(no_mangle)]
    fn GDALGetRasterBandXSize(arg1: GDALRasterBandH) -> c_int;
    #[unsafe(no_mangle)]
    fn GDALGetRasterBandYSize(arg1: GDALRasterBandH) -> c_int;
    #[unsafe(no_mangle)]
    fn GDALGetRasterCount(arg1: GDALDatasetH) -> c_int;
    #[unsafe(no_mangle)]
    fn GDALGetRasterDataType(arg1: GDALRasterBandH) -> GDALDataType::Type;
    #[unsafe(no_mangle)]
    fn GDALGetRasterNoDataValue(arg1: GDALRasterBandH, arg2: *mut c_int) -> f64;
    #[unsafe(no_mangle)]
    fn GDALGetRasterOffset(arg1: GDALRasterBandH, success: *mut c_int) -> f64;
    #[unsafe(no_mangle)]
    fn GDALGetRasterScale(arg1: GDALRasterBandH, success: *mut c_int) -> f64;
    #[unsafe(no_mangle)]
    fn GDALGetSpatialRef(arg1: GDALDatasetH) -> OGRSpatialReferenceH;
    #[unsafe(no_mangle)]
    fn GDALOpenEx(filename: *const c_char, n_open_flags: c_uint, allowed_drivers: *const *const c_char, open_options: *const *const c_char, sibling_files: *const *const c_char) -> GDALDatasetH;
    #[unsafe(no_mangle)]
    fn GDALRasterIO(h_rband: GDALRasterBandH, e_rwflag: GDALRWFlag::Type, n_dsxoff: c_int, n_dsyoff: c_int, n_dsxsize: c_int, n_dsysize: c_int, p_buffer: *mut c_void, n_bxsize: c_int, n_bysize: c_int, e_bdata_type: GDALDataType::Type, n_pixel_space: c_int, n_line_space: c_int) -> CPLErr::Type;
    #[unsafe(no_mangle)]
    fn GDALRasterIOEx(h_rband: GDALRasterBandH, e_rwflag: GDALRWFlag::Type, n_dsxoff: c_int, n_dsyoff: c_int, n_dsxsize: c_int, n_dsysize: c_int, p_buffer: *mut c_void, n_bxsize: c_int, n_bysize: c_int, e_bdata_type: GDALDataType::Type, n_pixel_space: GSpacing, n_line_space: GSpacing, extra_arg: *mut GDALRasterIOExtraArg) -> CPLErr::Type;
    #[unsafe(no_mangle)]
    fn GDALSetDescription(arg1: GDALMajorObjectH, arg2: *const c_char);
    #[unsafe(no_mangle)]
    fn GDALSetGeoTransform(arg1: GDALDatasetH, arg2: *mut f64) -> CPLErr::Type;
    #[unsafe(no_mangle)]
    fn GDALSetMetadataItem(arg1: GDALMajorObjectH, arg2: *const c_char, arg3: *const c_char, arg4: *const c_char) -> CPLErr::Type;
    #[unsafe(no_mangle)]
    fn GDALSetRasterNoDataValue(arg1: GDALRasterBandH, arg2: f64) -> CPLErr::Type;
    #[unsafe(no_mangle)]
    fn GDALSetRasterOffset(h_band: GDALRasterBandH, new_value: f64) -> CPLErr::Type;
    #[unsafe(no_mangle)]
    fn GDALSetRasterScale(h_band: GDALRasterBandH, new_offset: f64) -> CPLErr::Type;
    #[unsafe(no_mangle)]
    fn GDALSetSpatialRef(arg1: GDALDatasetH, arg2: OGRSpatialReferenceH) -> CPLErr::Type;
    #[unsafe(no_mangle)]
    fn OSRClone(arg1: OGRSpatialReferenceH) -> OGRSpatialReferenceH;
    #[unsafe(no_mangle)]
    fn OSRExportToWkt(arg1: OGRSpatialReferenceH, arg2: *mut *mut c_char) -> OGRErr::Type;
    #[unsafe(no_mangle)]
    fn OSRGetAuthorityCode(h_srs: OGRSpatialReferenceH, target_key: *const c_char) -> *const c_char;
    #[unsafe(no_mangle)]
    fn OSRImportFromEPSG(arg1: OGRSpatialReferenceH, arg2: c_int) -> OGRErr::Type;
    #[unsafe(no_mangle)]
    fn OSRNewSpatialReference(arg1: *const c_char) -> OGRSpatialReferenceH;
    #[unsafe(no_mangle)]
    fn OSRRelease(arg1: OGRSpatialReferenceH);
    #[unsafe(no_mangle)]
    fn OSRSetFromUserInput(arg1: OGRSpatialReferenceH, arg2: *const c_char) -> OGRErr::Type;
    #[unsafe(no_mangle)]
    fn VSIAllocFilesystemPluginCallbacksStruct() -> *mut VSIFilesystemPluginCallbacksStruct;
    #[unsafe(no_mangle)]
    fn VSIFree(arg1: *mut c_void);
    #[unsafe(no_mangle)]
    fn VSIFreeFilesystemPluginCallbacksStruct(callbacks: *mut VSIFilesystemPluginCallbacksStruct);
    #[unsafe(no_mangle)]
    fn VSIGetMemFileBuffer(filename: *const c_char, data_length: *mut vsi_l_offset, unlink_and_seize: c_int) -> *mut GByte;
    #[unsafe(no_mangle)]
    fn VSIInstallPluginHandler(prefix: *const c_char, callbacks: *const VSIFilesystemPluginCallbacksStruct) -> c_int;
}
