"""The part of the table of Airflow's names that provider packages import from the core; see `_names.py`."""

NAMES = """\
airflow.executors gnomon.sdk.core.workloads workloads=.
airflow.executors.base_executor gnomon.sdk.core.executor BaseExecutor ExecutorConf PARALLELISM RunningRetryAttemptType EventBufferValueType get_execution_api_server_url
airflow.executors.executor_constants gnomon.sdk.core.executor_names LOCAL_EXECUTOR CELERY_EXECUTOR KUBERNETES_EXECUTOR MOCK_EXECUTOR CORE_EXECUTOR_NAMES ConnectorSource
airflow.executors.executor_loader gnomon.sdk.core.executor_names ExecutorLoader ExecutorName
airflow.executors.executor_utils gnomon.sdk.core.executor_names ExecutorName
airflow.executors.local_executor gnomon.sdk.core.jobs LocalExecutor
airflow.executors.workloads gnomon.sdk.core.workloads *
airflow.executors.workloads.base gnomon.sdk.core.workloads BaseWorkload BaseWorkloadSchema BaseDagBundleWorkload BundleInfo
airflow.executors.workloads.callback gnomon.sdk.core.workloads CallbackDTO CallbackFetchMethod ExecuteCallback
airflow.executors.workloads.connection_test gnomon.sdk.core.workloads TestConnection
airflow.executors.workloads.task gnomon.sdk.core.workloads ExecuteTask TaskInstanceDTO
airflow.executors.workloads.trigger gnomon.sdk.core.workloads RunTrigger
airflow.executors.workloads.types gnomon.sdk.core.workloads WorkloadKey WorkloadState WorkloadResultType state_class_for_key
airflow.callbacks.base_callback_sink gnomon.sdk.core.jobs BaseCallbackSink
airflow.callbacks.callback_requests gnomon.sdk.unavailable CallbackRequest DagCallbackRequest TaskCallbackRequest EmailRequest
airflow.jobs.job gnomon.sdk.unavailable Job
airflow.jobs.job gnomon.sdk.states JobState
airflow.jobs.base_job_runner gnomon.sdk.unavailable BaseJobRunner
airflow.jobs.dag_processor_job_runner gnomon.sdk.unavailable DagProcessorJobRunner
airflow.jobs.scheduler_job_runner gnomon.sdk.unavailable SchedulerJobRunner
airflow.jobs.triggerer_job_runner gnomon.sdk.unavailable TriggererJobRunner TriggerRunner
airflow.cli.cli_config gnomon.sdk.core.commands *
airflow.cli.cli_parser gnomon.sdk.core.commands AirflowHelpFormatter DefaultHelpParser _add_command=add_command get_parser=parser_of
airflow.cli.utils gnomon.sdk.core.commands CliConflictError
airflow.cli.simple_table gnomon.sdk.core.actions AirflowConsole
airflow.cli.commands.daemon_utils gnomon.sdk.core.actions run_command_with_daemon_option
airflow.utils.cli gnomon.sdk.core.actions action_cli get_bagged_dag get_dags process_subdir setup_locations sigint_handler sigquit_handler suppress_logs_and_warning
airflow.utils.platform gnomon.sdk.core.actions is_tty is_terminal_support_colors
airflow.utils.platform gnomon.sdk.core.processes IS_WINDOWS
airflow.utils.process_utils gnomon.sdk.core.processes *
airflow.utils.file gnomon.sdk.core.files *
airflow.utils.json gnomon.sdk.core.encoding *
airflow.utils.net gnomon.sdk.core.network getfqdn get_host_ip_address get_hostname
airflow.security.kerberos gnomon.sdk.core.network renew_from_kt
airflow.security.utils gnomon.sdk.core.network get_components get_fqdn principal_from_username replace_hostname_pattern
airflow.utils.log.file_task_handler gnomon.sdk.core.log_handlers *
airflow.utils.log.json_formatter gnomon.sdk.core.log_handlers JSONFormatter
airflow.utils.log.logging_mixin gnomon.sdk.core.log_handlers SetContextPropagate
airflow.utils.log.non_caching_file_handler gnomon.sdk.core.log_handlers NonCachingFileHandler NonCachingRotatingFileHandler make_file_io_non_caching
airflow.utils.log.task_handler_with_custom_formatter gnomon.sdk.core.log_handlers TaskHandlerWithCustomFormatter
airflow._shared.logging.remote gnomon.sdk.core.log_handlers LogMessages LogResponse LogSourceInfo RawLogStream StreamingLogResponse
airflow._shared.logging.remote gnomon.sdk.core.remote_logs RemoteLogIO RemoteLogStreamIO
airflow._shared.module_loading gnomon.sdk.legacy import_string qualname is_valid_dotpath iter_namespace
airflow.logging.remote gnomon.sdk.core.remote_logs RemoteLogIO RemoteLogStreamIO
airflow.logging_config gnomon.sdk.core.remote_logs _ActiveLoggingConfig configure_logging get_default_remote_conn_id get_remote_task_log load_logging_config
airflow.config_templates.airflow_local_settings gnomon.sdk.core.remote_logs DEFAULT_LOGGING_CONFIG REMOTE_TASK_LOG BASE_LOG_FOLDER
airflow.sdk.log gnomon.sdk.core.remote_logs configure_logging relative_path_from_logger
airflow.sdk.log gnomon.sdk.core.masking reset_secrets_masker
airflow.sdk.execution_time.secrets_masker gnomon.sdk.core.masking SecretsMasker Redactable Redacted _secrets_masker should_hide_value_for_key
airflow.sdk._shared.secrets_masker gnomon.sdk.core.masking SecretsMasker Redactable Redacted _secrets_masker should_hide_value_for_key DEFAULT_SENSITIVE_FIELDS
airflow.sdk._shared.secrets_masker gnomon.sdk.log mask_secret redact
airflow.sdk._shared.module_loading gnomon.sdk.legacy import_string qualname is_valid_dotpath iter_namespace
airflow.sdk._shared.listeners gnomon.sdk.listeners hookimpl
airflow.sdk._shared.observability.metrics.stats gnomon.sdk.core.stats Stats
airflow.sdk.observability.stats gnomon.sdk.core.stats Stats
airflow.observability.stats gnomon.sdk.core.stats Stats
airflow.observability.metrics gnomon.sdk.core.stats stats_utils=.
airflow.observability.metrics.stats_utils gnomon.sdk.core.stats get_stats_factory
airflow.stats gnomon.sdk.core.stats Stats
airflow.sdk.execution_time.callback_runner gnomon.sdk.core.callback_runner *
airflow.dag_processing.bundles.base gnomon.sdk.core.bundles *
airflow.dag_processing.bundles.local gnomon.sdk.core.bundles LocalDagBundle
airflow.dag_processing.bundles.manager gnomon.sdk.unavailable DagBundlesManager
airflow.triggers.shared_stream gnomon.sdk.core.shared_stream *
airflow.serialization.serialized_objects gnomon.sdk.core.serialized BaseSerialization SerializedBaseOperator SerializedDAG create_scheduler_operator
airflow.serialization.definitions.baseoperator gnomon.sdk.core.serialized SerializedBaseOperator
airflow.serialization.definitions.dag gnomon.sdk.core.serialized SerializedDAG
airflow.serialization.definitions.mappedoperator gnomon.sdk.core.serialized SerializedMappedOperator
airflow.serialization.definitions.notset gnomon.sdk.types NOTSET ArgNotSet is_arg_set
airflow.serialization.encoders gnomon.sdk.core.serialized coerce_to_core_timetable encode_timetable
airflow.serialization.enums gnomon.sdk.core.serialized DagAttributeTypes Encoding
airflow.utils.state gnomon.sdk.states CallbackState
airflow.models.callback gnomon.sdk.core.workloads CallbackKey CallbackFetchMethod
airflow.models.callback gnomon.sdk.states CallbackState
airflow.models.callback gnomon.sdk.unavailable Callback ExecutorCallback TriggererCallback
airflow.models.connection_test gnomon.sdk.core.workloads ConnectionTestKey ConnectionTestState
airflow.api_fastapi.app gnomon.sdk.core.auth_manager AUTH_MANAGER_FASTAPI_APP_PREFIX get_auth_manager get_cookie_path
airflow.api_fastapi.auth.managers.base_auth_manager gnomon.sdk.core.auth_manager BaseAuthManager COOKIE_NAME_JWT_TOKEN ResourceMethod ExtendedResourceMethod
airflow.api_fastapi.auth.managers.models.base_user gnomon.sdk.core.auth_manager BaseUser
airflow.api_fastapi.auth.managers.models.batch_apis gnomon.sdk.core.auth_manager IsAuthorizedConnectionRequest IsAuthorizedDagRequest IsAuthorizedPoolRequest IsAuthorizedVariableRequest
airflow.api_fastapi.auth.managers.models.resource_details gnomon.sdk.core.auth_manager AccessView AssetAliasDetails AssetDetails BackfillDetails ConfigurationDetails ConnectionDetails DagAccessEntity DagDetails PoolDetails TeamDetails VariableDetails
airflow.api_fastapi.common.types gnomon.sdk.core.auth_manager MenuItem ExtraMenuItem
airflow.api_fastapi.common.router gnomon.api.extension AirflowRouter
airflow.api_fastapi.core_api.base gnomon.api.extension BaseModel StrictBaseModel
airflow.api_fastapi.core_api.openapi.exceptions gnomon.api.extension HTTPExceptionResponse create_openapi_http_exception_doc
airflow.api.common.trigger_dag gnomon.sdk.unavailable trigger_dag
airflow.api.common.delete_dag gnomon.sdk.unavailable delete_dag
airflow.api.common.mark_tasks gnomon.sdk.unavailable set_state set_dag_run_state_to_success set_dag_run_state_to_failed
airflow.api.client gnomon.sdk.unavailable get_current_api_client
airflow.configuration gnomon.sdk.configuration AirflowConfigParser=Configuration AIRFLOW_CONFIG AIRFLOW_HOME ensure_secrets_loaded expand_env_var get_airflow_config get_airflow_home
airflow.sdk.configuration gnomon.sdk.configuration AirflowSDKConfigParser=Configuration ensure_secrets_loaded
airflow.models.asset gnomon.sdk.unavailable expand_alias_to_assets AssetActive AssetDagRunQueue
airflow.models.backfill gnomon.sdk.unavailable Backfill BackfillDagRun
airflow.models.base gnomon.sdk.unavailable Base ID_LEN StringID
airflow.models.crypto gnomon.sdk.unavailable get_fernet
airflow.models.dag_version gnomon.sdk.unavailable DagVersion
airflow.models.dagbag gnomon.sdk.unavailable DBDagBag
airflow.models.dagbundle gnomon.sdk.unavailable DagBundleModel
airflow.models.dagcode gnomon.sdk.unavailable DagCode
airflow.models.dagwarning gnomon.sdk.unavailable DagWarning DagWarningType
airflow.models.db_callback_request gnomon.sdk.unavailable DbCallbackRequest
airflow.models.deadline gnomon.sdk.unavailable Deadline
airflow.models.errors gnomon.sdk.unavailable ParseImportError
airflow.models.expandinput gnomon.sdk.expand_input *
airflow.models.hitl gnomon.sdk.unavailable HITLDetail
airflow.models.log gnomon.sdk.unavailable Log
airflow.models.referencemixin gnomon.sdk.xcomarg ReferenceMixin=ResolveMixin
airflow.models.taskinstance gnomon.sdk.unavailable clear_task_instances
airflow.models.taskinstancehistory gnomon.sdk.unavailable TaskInstanceHistory
airflow.models.taskmap gnomon.sdk.unavailable TaskMap
airflow.models.team gnomon.sdk.unavailable Team
airflow.sdk.bases.xcom gnomon.sdk.core.messages XComCoordinate
airflow.sdk.definitions._internal.dag_parsing_context gnomon.sdk.runtime.current get_parsing_context
airflow.sdk.definitions._internal.dag_parsing_context gnomon.sdk.core.introspection _airflow_parsing_context_manager=parsing_context
airflow.sdk.definitions._internal.abstractoperator gnomon.sdk.core.defaults TaskStateChangeCallback DEFAULT_OWNER DEFAULT_QUEUE DEFAULT_TASK_EXECUTION_TIMEOUT DEFAULT_RETRIES DEFAULT_RETRY_DELAY DEFAULT_POOL_SLOTS DEFAULT_PRIORITY_WEIGHT DEFAULT_TRIGGER_RULE DEFAULT_WEIGHT_RULE
airflow.sdk.definitions._internal.decorators gnomon.sdk.source remove_task_decorator
airflow.sdk.definitions._internal.decorators gnomon.sdk.core.defaults fixup_decorator_warning_stack
airflow.sdk.execution_time.cache gnomon.sdk.core.secret_cache SecretCache
airflow.sdk.execution_time.comms gnomon.sdk.core.messages XComResult
airflow.sdk.execution_time.context gnomon.sdk.runtime.exported AIRFLOW_VAR_NAME_FORMAT_MAPPING DEFAULT_FORMAT_PREFIX ENV_VAR_FORMAT_PREFIX
airflow.sdk.execution_time.context gnomon.sdk.core.messages OutletEventAccessorsProtocol
airflow.sdk.execution_time.coordinator gnomon.sdk.core.messages get_coordinator_manager
airflow.sdk.api.datamodels._generated gnomon.sdk.runtime.human_input HITLDetailResponse=HITLAnswer
airflow.sdk gnomon.sdk __version__
airflow.sdk.state gnomon.sdk.core.messages StoreScope
airflow.settings gnomon.sdk.core.settings AIRFLOW_HOME DAGS_FOLDER PLUGINS_FOLDER LOG_FORMAT SIMPLE_LOG_FORMAT LOGGING_LEVEL DAEMON_UMASK EXECUTE_TASKS_NEW_PYTHON_INTERPRETER MASK_SECRETS_IN_LOGS STATE_COLORS WEB_COLORS KILOBYTE MEGABYTE AsyncSession engine async_engine initialize configure_orm configure_vars reconfigure_orm dispose_orm
airflow.settings json json=.
airflow.utils.helpers gnomon.sdk.legacy ask_yesno build_airflow_url_with_query render_template
airflow.utils.context gnomon.sdk.core.defaults context_copy_partial
airflow.utils.providers_configuration_loader gnomon.sdk.core.settings providers_configuration_loaded
airflow.utils.db gnomon.sdk.unavailable DBLocks create_global_lock check initdb resetdb upgradedb merge_conn create_default_connections add_default_pool_if_not_exists
airflow.utils.db_cleanup gnomon.sdk.unavailable run_cleanup
airflow.utils.db_manager gnomon.sdk.unavailable BaseDBManager RunDBManager
airflow.utils.docs gnomon.sdk.core.introspection get_docs_url
airflow.utils.code_utils gnomon.sdk.core.introspection get_python_source
airflow.utils.dag_cycle_tester gnomon.sdk.core.introspection check_cycle
airflow.utils.dot_renderer gnomon.sdk.unavailable render_dag render_dag_dependencies
airflow.utils.entry_points gnomon.sdk.core.introspection entry_points_with_dist
airflow.utils.retries gnomon.sdk.unavailable retry_db_transaction run_with_db_retries
airflow.sdk.bases.decorator gnomon.sdk.taskflow get_unique_task_id
airflow.sdk.definitions.asset.access_control gnomon.sdk.assets AssetAccessControl
airflow.sdk.definitions.decorators.condition gnomon.sdk.conditions run_if skip_if
airflow.sdk.definitions.decorators.task_group gnomon.sdk task_group
airflow.sdk.definitions.partition_mappers.allowed_key gnomon.sdk.partitions AllowedKeyMapper
airflow.sdk.definitions.partition_mappers.base gnomon.sdk.partitions PartitionMapper RollupMapper
airflow.sdk.definitions.partition_mappers.chain gnomon.sdk.partitions ChainMapper
airflow.sdk.definitions.partition_mappers.fixed_key gnomon.sdk.partitions FixedKeyMapper
airflow.sdk.definitions.partition_mappers.identity gnomon.sdk.partitions IdentityMapper
airflow.sdk.definitions.partition_mappers.product gnomon.sdk.partitions ProductMapper
airflow.sdk.definitions.partition_mappers.temporal gnomon.sdk.partitions FanOutMapper StartOfHourMapper StartOfDayMapper StartOfWeekMapper StartOfMonthMapper StartOfQuarterMapper StartOfYearMapper
airflow.sdk.definitions.partition_mappers.wait_policy gnomon.sdk.partitions WaitPolicy WaitForAll MinimumCount
airflow.sdk.definitions.partition_mappers.window gnomon.sdk.partitions Window HourWindow DayWindow WeekWindow MonthWindow QuarterWindow YearWindow SegmentWindow
airflow.sdk.definitions._internal.logging_mixin gnomon.sdk.log LoggingMixin
airflow.sdk.definitions.context gnomon.sdk.templating render_template_as_native render_template_to_string
airflow.sdk.execution_time.context gnomon.sdk.runtime.accessors ConnectionAccessor VariableAccessor MacrosAccessor
airflow.sdk.execution_time.context gnomon.sdk.runtime.asset_events OutletEventAccessor OutletEventAccessors InletEventsAccessor InletEventsAccessors TriggeringAssetEventsAccessor=TriggeringAssetEvents
airflow.sdk.execution_time.context gnomon.sdk.runtime.current set_current_context
airflow.sdk.execution_time.supervisor gnomon.sdk.unavailable supervise supervise_task
airflow.sdk.observability.metrics.stats_utils gnomon.sdk.core.stats get_stats_factory
airflow.assets.manager gnomon.sdk.unavailable AssetManager resolve_asset_manager
airflow.providers.standard.decorators.branch_external_python gnomon.sdk.standard.decorators.virtualenv branch_external_python_task _BranchExternalPythonDecoratedOperator
airflow.providers.standard.decorators.branch_python gnomon.sdk.standard.decorators.branch branch_task _BranchPythonDecoratedOperator
airflow.providers.standard.decorators.branch_virtualenv gnomon.sdk.standard.decorators.virtualenv branch_virtualenv_task _BranchPythonVirtualenvDecoratedOperator
airflow.providers.standard.decorators.external_python gnomon.sdk.standard.decorators.virtualenv external_python_task _PythonExternalDecoratedOperator
airflow.providers.standard.decorators.python gnomon.sdk.standard.decorators.python _PythonDecoratedOperator
airflow.providers.standard.decorators.python_virtualenv gnomon.sdk.standard.decorators.virtualenv virtualenv_task _PythonVirtualenvDecoratedOperator
airflow.providers.standard.decorators.short_circuit gnomon.sdk.standard.decorators.branch short_circuit_task _ShortCircuitDecoratedOperator
airflow.providers.standard.operators.smooth gnomon.sdk.standard.smooth SmoothOperator
airflow.providers.standard.exceptions gnomon.sdk.exceptions AirflowExternalTaskSensorException=AirflowException
airflow.api.client.local_client gnomon.sdk.unavailable Client
airflow.utils.module_loading gnomon.sdk.legacy import_string qualname is_valid_dotpath iter_namespace
airflow.partition_mappers.allowed_key gnomon.sdk.partitions AllowedKeyMapper
airflow.partition_mappers.base gnomon.sdk.partitions PartitionMapper RollupMapper
airflow.partition_mappers.chain gnomon.sdk.partitions ChainMapper
airflow.partition_mappers.fixed_key gnomon.sdk.partitions FixedKeyMapper
airflow.partition_mappers.identity gnomon.sdk.partitions IdentityMapper
airflow.partition_mappers.product gnomon.sdk.partitions ProductMapper
airflow.partition_mappers.temporal gnomon.sdk.partitions FanOutMapper StartOfHourMapper StartOfDayMapper StartOfWeekMapper StartOfMonthMapper StartOfQuarterMapper StartOfYearMapper
airflow.partition_mappers.wait_policy gnomon.sdk.partitions WaitPolicy WaitForAll MinimumCount
airflow.partition_mappers.window gnomon.sdk.partitions Window HourWindow DayWindow WeekWindow MonthWindow QuarterWindow YearWindow SegmentWindow
airflow.timetables.simple gnomon.sdk.timetables PartitionedAtRuntime PartitionedAssetTimetable
airflow.utils.log.colored_log gnomon.sdk.core.log_handlers CustomTTYColoredFormatter
airflow.utils.log.timezone_aware gnomon.sdk.core.log_handlers TimezoneAware
airflow.triggers.testing gnomon.sdk.core.testing_triggers SuccessTrigger FailureTrigger
"""

#: Paths that Airflow 4 will not have.
LEAVING = """\
airflow.security.permissions gnomon.sdk.core.permissions *
airflow.macros.hive airflow.providers.apache.hive.macros.hive closest_ds_partition max_partition
"""
